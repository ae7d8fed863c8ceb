/* Attention of every position of a map over a window around it, with relative positions: the loops.

   logit(i, j) = a q_i.k_j + b q_i.r_q[j - i] + c k_j.r_k[j - i],   weights p = softmax over j in the window and on the map,
   content_i = sum_j p_ij v_j,   placed_i = sum_j p_ij r_v[j - i].

   Position vectors are separable: the first dimensions depend on the row offset alone, the others on the column offset.
   So a window costs its pairs only in q.k and p.v, and rows + columns in all else. One row of a map with a window as wide
   as the row is axial attention.

   Maps are independent, hence vector lanes are maps: a unit of work is one vector of maps, copied in so that the values
   of all its maps at one position and channel are one vector. There is no border to vectorise around, whatever the size.
   Nothing of the size of all pairs is kept: backward computes the logits again from their log-sum-exp.

   Units are summed in a fixed number of groups, so results do not depend on the number of threads. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef REAL
#define REAL float
#endif
#define LANES ((int64_t)(64 / sizeof(REAL)))
typedef REAL vec __attribute__((vector_size(64)));

typedef struct {
    REAL *data;
    int64_t batch, head; /* strides, in elements */
} Maps;

typedef struct {
    int64_t batch, heads, inner, inner_stride; /* a map for each; the inner ones start inner_stride apart */
    int64_t height, width, step;               /* of a map; positions lie step apart, row after row */
    int64_t plane;                             /* channels lie this far apart */
    int64_t rows, columns;                     /* of the window, odd */
    int64_t qk, qk_rows, v, v_rows;            /* dimensions, and how many of them depend on the row offset */
    int64_t sensitive;                         /* whether the scale, key and value tables are there */
    int64_t groups;
    Maps q, k, value, content, placed, dq, dk, dvalue; /* in backward, content and placed are their gradients */
    const REAL *query_table, *key_table, *value_table; /* (qk_rows, rows), then (qk - qk_rows, columns) */
    const REAL *scale;                                 /* (heads, 3): a, b, c */
    REAL *lse;                                         /* (maps, positions) */
    REAL *moments;  /* (maps, 6): sum and sum of squares of each unscaled term; their gradients in backward */
    REAL *dscale;   /* (maps, 3) */
    REAL *dtables;  /* (groups, query, key, value table) */
} Problem;

/* ---------------------------------------------------------------- vectors */

static inline vec splat(REAL x) { return x - (vec){}; }

static inline vec larger(vec a, vec b) {
    typedef __typeof__(a > b) mask;
    mask m = a > b;
    return (vec)((m & (mask)a) | (~m & (mask)b));
}

/* e^x for x <= 0, to an ulp or two. */
static inline vec exponential(vec x) {
    if (sizeof(REAL) == 8) {
        for (int64_t l = 0; l < LANES; l++) x[l] = exp(x[l]);
        return x;
    }
    typedef int32_t ivec __attribute__((vector_size(64)));
    typedef float fvec __attribute__((vector_size(64)));
    fvec y = (fvec)larger(x, splat(-87));
    const float magic = 12582912.0f; /* 1.5 2^23: adding it rounds to an integer */
    fvec n = (y * 1.44269504f + magic) - magic;
    fvec r = y - n * 0.693359375f + n * 2.12194440e-4f;
    fvec s = 1.9875691500e-4f - (fvec){};
    s = s * r + 1.3981999507e-3f;
    s = s * r + 8.3334519073e-3f;
    s = s * r + 4.1665795894e-2f;
    s = s * r + 1.6666665459e-1f;
    s = s * r + 5.0000001201e-1f;
    s = s * r * r + r + 1.0f;
    ivec e = __builtin_convertvector(n, ivec);
    return (vec)(fvec)((ivec)s + (e << 23));
}

static inline vec logarithm(vec x) {
    for (int64_t l = 0; l < LANES; l++) x[l] = sizeof(REAL) == 8 ? log(x[l]) : logf(x[l]);
    return x;
}

/* out[i] = x . base[key[i]] */
static inline void dots(const vec *restrict x, const vec *restrict base, const int32_t *key, int64_t n, int64_t d,
                        vec *restrict out) {
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const vec *k0 = base + key[i] * d, *k1 = base + key[i + 1] * d, *k2 = base + key[i + 2] * d, *k3 = base + key[i + 3] * d;
        vec a0 = {}, a1 = {}, a2 = {}, a3 = {};
        for (int64_t c = 0; c < d; c++) {
            vec xc = x[c];
            a0 += xc * k0[c];
            a1 += xc * k1[c];
            a2 += xc * k2[c];
            a3 += xc * k3[c];
        }
        out[i] = a0;
        out[i + 1] = a1;
        out[i + 2] = a2;
        out[i + 3] = a3;
    }
    for (; i < n; i++) {
        const vec *k = base + key[i] * d;
        vec a = {};
        for (int64_t c = 0; c < d; c++) a += x[c] * k[c];
        out[i] = a;
    }
}

/* out += sum_i w[i] base[key[i]] */
static inline void gather(const vec *restrict w, const vec *restrict base, const int32_t *key, int64_t n, int64_t d,
                          vec *restrict out) {
    int64_t c = 0;
    for (; c + 8 <= d; c += 8) {
        vec a[8];
        for (int u = 0; u < 8; u++) a[u] = out[c + u];
        for (int64_t i = 0; i < n; i++) {
            const vec *k = base + key[i] * d + c;
            vec wi = w[i];
            for (int u = 0; u < 8; u++) a[u] += wi * k[u];
        }
        for (int u = 0; u < 8; u++) out[c + u] = a[u];
    }
    for (; c + 2 <= d; c += 2) {
        vec a0 = out[c], a1 = out[c + 1];
        for (int64_t i = 0; i < n; i++) {
            const vec *k = base + key[i] * d + c;
            a0 += w[i] * k[0];
            a1 += w[i] * k[1];
        }
        out[c] = a0;
        out[c + 1] = a1;
    }
    for (; c < d; c++)
        for (int64_t i = 0; i < n; i++) out[c] += w[i] * base[key[i] * d + c];
}

/* base[key[i]] += w[i] x */
static inline void scatter(const vec *restrict w, const vec *restrict x, vec *restrict base, const int32_t *key, int64_t n,
                           int64_t d) {
    for (int64_t i = 0; i < n; i++) {
        vec *k = base + key[i] * d;
        vec wi = w[i];
        for (int64_t c = 0; c < d; c++) k[c] += wi * x[c];
    }
}

/* ---------------------------------------------------------------- positions */

typedef struct {
    int64_t top, bottom, left, right; /* offsets from top to before bottom, left to before right, are on the map */
} Range;

/* Offsets that lead from a query to keys on the map. */
static inline Range from_query(const Problem *p, int64_t y, int64_t x) {
    int64_t up = p->rows / 2, side = p->columns / 2;
    Range r = {up - y, p->height + up - y, side - x, p->width + side - x};
    if (r.top < 0) r.top = 0;
    if (r.left < 0) r.left = 0;
    if (r.bottom > p->rows) r.bottom = p->rows;
    if (r.right > p->columns) r.right = p->columns;
    return r;
}

/* Offsets that lead to a key from queries on the map. */
static inline Range to_key(const Problem *p, int64_t y, int64_t x) {
    return (Range){
        p->rows - from_query(p, y, x).bottom,
        p->rows - from_query(p, y, x).top,
        p->columns - from_query(p, y, x).right,
        p->columns - from_query(p, y, x).left,
    };
}

/* Products of x with the position vectors: rows values by row offset, then columns values by column offset. */
static inline void along(const Problem *p, Range r, const vec *x, int64_t d, int64_t d_rows, const REAL *table,
                         vec *restrict out) {
    for (int64_t o = r.top; o < r.bottom; o++) {
        vec s = {};
        for (int64_t c = 0; c < d_rows; c++) s += x[c] * table[c * p->rows + o];
        out[o] = s;
    }
    const REAL *t = table + d_rows * p->rows;
    for (int64_t o = r.left; o < r.right; o++) {
        vec s = {};
        for (int64_t c = d_rows; c < d; c++) s += x[c] * t[(c - d_rows) * p->columns + o];
        out[p->rows + o] = s;
    }
}

/* Adjoint of along in x: out += scale * sum over offsets of g times the position vectors. */
static inline void across(const Problem *p, Range r, const vec *g, int64_t d, int64_t d_rows, const REAL *table, vec scale,
                          vec *restrict out) {
    for (int64_t c = 0; c < d_rows; c++) {
        vec s = {};
        for (int64_t o = r.top; o < r.bottom; o++) s += g[o] * table[c * p->rows + o];
        out[c] += s * scale;
    }
    const REAL *t = table + d_rows * p->rows;
    for (int64_t c = d_rows; c < d; c++) {
        vec s = {};
        for (int64_t o = r.left; o < r.right; o++) s += g[p->rows + o] * t[(c - d_rows) * p->columns + o];
        out[c] += s * scale;
    }
}

/* Adjoint of along in the table. */
static inline void outer(const Problem *p, Range r, const vec *x, const vec *g, int64_t d, int64_t d_rows, vec scale,
                         vec *restrict dtable) {
    for (int64_t c = 0; c < d_rows; c++) {
        vec xc = x[c] * scale;
        for (int64_t o = r.top; o < r.bottom; o++) dtable[c * p->rows + o] += xc * g[o];
    }
    vec *dt = dtable + d_rows * p->rows;
    for (int64_t c = d_rows; c < d; c++) {
        vec xc = x[c] * scale;
        for (int64_t o = r.left; o < r.right; o++) dt[(c - d_rows) * p->columns + o] += xc * g[p->rows + o];
    }
}

/* Sums over the pairs of weights in r: by row offset, then by column offset. */
static inline void marginals(const Problem *p, Range r, const vec *w, vec *restrict out) {
    for (int64_t o = r.left; o < r.right; o++) out[p->rows + o] = (vec){};
    for (int64_t y = r.top; y < r.bottom; y++) {
        vec s = {};
        for (int64_t x = r.left; x < r.right; x++, w++) {
            s += *w;
            out[p->rows + x] += *w;
        }
        out[y] = s;
    }
}

/* ---------------------------------------------------------------- a unit of work */

typedef struct {
    const Problem *p;
    int64_t positions, lanes;      /* lanes in use: the last unit may be short */
    int64_t first;                 /* map of lane 0 */
    int64_t start[64];             /* of each lane's map, for the tensor at hand */
    int64_t query_size, value_size; /* of the tables */
    vec a, b, c;
    vec *q, *k, *v, *content, *placed, *dq, *dk, *dv, *key_logits, *dkey_logits, *lse;
    vec *products, *weights, *dweights, *by_offset, *scaled;
    vec *dquery_table, *dkey_table, *dvalue_table;
    int32_t *key;
    char *memory, *next;
} Unit;

static int64_t table_size(const Problem *p, int64_t d, int64_t d_rows) {
    return d_rows * p->rows + (d - d_rows) * p->columns;
}

static vec *reserve(Unit *u, int64_t count) {
    vec *result = (vec *)u->next;
    u->next += count * sizeof(vec);
    return result;
}

static int open_unit(Unit *u, const Problem *p, int backward) {
    u->p = p;
    u->positions = p->height * p->width;
    u->query_size = table_size(p, p->qk, p->qk_rows);
    u->value_size = table_size(p, p->v, p->v_rows);
    int64_t n = u->positions, offsets = p->rows + p->columns, pairs = p->rows * p->columns;
    int64_t size = n * (4 * p->qk + 4 * p->v + 2 * offsets + 1) + 4 * pairs + 2 * offsets + p->qk + 2 * u->query_size + u->value_size;
    u->memory = aligned_alloc(64, size * sizeof(vec));
    u->next = u->memory;
    if (!u->memory) return 1;
    u->q = reserve(u, n * p->qk);
    u->k = reserve(u, n * p->qk);
    u->v = reserve(u, n * p->v);
    u->content = reserve(u, n * p->v);
    u->placed = reserve(u, n * p->v);
    u->key_logits = reserve(u, n * offsets);
    u->lse = reserve(u, n);
    u->products = reserve(u, pairs);
    u->weights = reserve(u, pairs);
    u->dweights = reserve(u, pairs);
    u->key = (int32_t *)reserve(u, pairs);
    u->by_offset = reserve(u, 2 * offsets);
    u->scaled = reserve(u, p->qk);
    if (backward) {
        u->dq = reserve(u, n * p->qk);
        u->dk = reserve(u, n * p->qk);
        u->dv = reserve(u, n * p->v);
        u->dkey_logits = reserve(u, n * offsets);
        u->dquery_table = reserve(u, u->query_size);
        u->dkey_table = reserve(u, u->query_size);
        u->dvalue_table = reserve(u, u->value_size);
    }
    return 0;
}

static void locate(Unit *u, const Maps *m) {
    const Problem *p = u->p;
    for (int64_t l = 0; l < u->lanes; l++) {
        int64_t map = u->first + l, inner = map % p->inner, head = map / p->inner % p->heads;
        u->start[l] = map / p->inner / p->heads * m->batch + head * m->head + inner * p->inner_stride;
    }
}

static int adjacent(const Unit *u) {
    if (u->lanes < LANES) return 0;
    for (int64_t l = 1; l < LANES; l++)
        if (u->start[l] != u->start[0] + l) return 0;
    return 1;
}

static void load(Unit *u, const Maps *m, int64_t channels, vec *restrict out) {
    const Problem *p = u->p;
    locate(u, m);
    if (adjacent(u)) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < u->positions; i++)
                memcpy(out + i * channels + c, m->data + u->start[0] + c * p->plane + i * p->step, sizeof(vec));
        return;
    }
    if (u->lanes < LANES) memset(out, 0, u->positions * channels * sizeof(vec));
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < u->positions; i += 16) {
            int64_t end = i + 16 < u->positions ? i + 16 : u->positions;
            for (int64_t l = 0; l < u->lanes; l++) {
                const REAL *from = m->data + u->start[l] + c * p->plane;
                REAL *to = (REAL *)(out + c) + l;
                for (int64_t j = i; j < end; j++) to[j * channels * LANES] = from[j * p->step];
            }
        }
}

static void store(Unit *u, const Maps *m, int64_t channels, const vec *restrict in) {
    const Problem *p = u->p;
    locate(u, m);
    if (adjacent(u)) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < u->positions; i++)
                memcpy(m->data + u->start[0] + c * p->plane + i * p->step, in + i * channels + c, sizeof(vec));
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < u->positions; i += 16) {
            int64_t end = i + 16 < u->positions ? i + 16 : u->positions;
            for (int64_t l = 0; l < u->lanes; l++) {
                REAL *to = m->data + u->start[l] + c * p->plane;
                const REAL *from = (const REAL *)(in + c) + l;
                for (int64_t j = i; j < end; j++) to[j * p->step] = from[j * channels * LANES];
            }
        }
}

/* Copies the log-sum-exp of each map and position out, or in. */
static void keep(const Unit *u, REAL *all, vec *own, int in) {
    if (in) memset(own, 0, u->positions * sizeof(vec));
    for (int64_t l = 0; l < u->lanes; l++)
        for (int64_t i = 0; i < u->positions; i++) {
            REAL *there = all + (u->first + l) * u->positions + i;
            if (in)
                own[i][l] = *there;
            else
                *there = own[i][l];
        }
}

/* Queries, keys, values where asked, and the keys' products with their positions. */
static void enter(Unit *u, int64_t unit, int values) {
    const Problem *p = u->p;
    u->first = unit * LANES;
    int64_t left = p->batch * p->heads * p->inner - u->first;
    u->lanes = left < LANES ? left : LANES;
    u->a = u->b = u->c = splat(1);
    if (p->scale)
        for (int64_t l = 0; l < u->lanes; l++) {
            const REAL *scale = p->scale + (u->first + l) / p->inner % p->heads * 3;
            u->a[l] = scale[0];
            u->b[l] = scale[1];
            u->c[l] = scale[2];
        }
    load(u, &p->q, p->qk, u->q);
    load(u, &p->k, p->qk, u->k);
    if (values) load(u, &p->value, p->v, u->v);
    if (p->sensitive)
        for (int64_t i = 0; i < u->positions; i++)
            along(p, to_key(p, i / p->width, i % p->width), u->k + i * p->qk, p->qk, p->qk_rows, p->key_table,
                  u->key_logits + i * (p->rows + p->columns));
}

static int64_t list_keys(const Unit *u, Range r, int64_t y, int64_t x) {
    const Problem *p = u->p;
    int64_t n = 0;
    for (int64_t o = r.top; o < r.bottom; o++) {
        int64_t row = (y + o - p->rows / 2) * p->width + x - p->columns / 2;
        for (int64_t s = r.left; s < r.right; s++) u->key[n++] = (int32_t)(row + s);
    }
    return n;
}

/* From products q.k, and the query's products with its positions in by_offset. */
static inline void whole_logits(Unit *u, Range r, vec *restrict out) {
    const Problem *p = u->p;
    int64_t n = 0, offsets = p->rows + p->columns;
    for (int64_t o = r.top; o < r.bottom; o++)
        for (int64_t s = r.left; s < r.right; s++, n++) {
            vec position = u->b * (u->by_offset[o] + u->by_offset[p->rows + s]);
            if (p->sensitive) {
                const vec *key = u->key_logits + u->key[n] * offsets;
                position += u->c * (key[o] + key[p->rows + s]);
            }
            out[n] = u->a * u->products[n] + position;
        }
}

static void attend(Unit *u) {
    const Problem *p = u->p;
    for (int64_t y = 0, i = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++, i++) {
            Range r = from_query(p, y, x);
            int64_t n = list_keys(u, r, y, x);
            const vec *q = u->q + i * p->qk;
            vec *content = u->content + i * p->v, *placed = u->placed + i * p->v;
            dots(q, u->k, u->key, n, p->qk, u->products);
            along(p, r, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
            whole_logits(u, r, u->weights);
            vec largest = u->weights[0], sum = {};
            for (int64_t j = 1; j < n; j++) largest = larger(largest, u->weights[j]);
            for (int64_t j = 0; j < n; j++) sum += u->weights[j] = exponential(u->weights[j] - largest);
            vec inverse = 1 / sum;
            for (int64_t j = 0; j < n; j++) u->weights[j] *= inverse;
            u->lse[i] = largest + logarithm(sum);
            memset(content, 0, p->v * sizeof(vec));
            gather(u->weights, u->v, u->key, n, p->v, content);
            if (!p->sensitive) continue;
            memset(placed, 0, p->v * sizeof(vec));
            marginals(p, r, u->weights, u->by_offset);
            across(p, r, u->by_offset, p->v, p->v_rows, p->value_table, splat(1), placed);
        }
}

static void attend_back(Unit *u) {
    const Problem *p = u->p;
    int64_t offsets = p->rows + p->columns;
    vec *position = u->by_offset, *summed = u->by_offset + offsets, da = {}, db = {}, dc = {};
    memset(u->dq, 0, u->positions * p->qk * sizeof(vec));
    memset(u->dk, 0, u->positions * p->qk * sizeof(vec));
    memset(u->dv, 0, u->positions * p->v * sizeof(vec));
    memset(u->dkey_logits, 0, u->positions * offsets * sizeof(vec));
    for (int64_t y = 0, i = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++, i++) {
            Range r = from_query(p, y, x);
            int64_t n = list_keys(u, r, y, x);
            const vec *q = u->q + i * p->qk, *dcontent = u->content + i * p->v, *dplaced = u->placed + i * p->v;
            vec *dq = u->dq + i * p->qk, *dlogits = u->dweights, dot = {};
            dots(q, u->k, u->key, n, p->qk, u->products);
            along(p, r, q, p->qk, p->qk_rows, p->query_table, position);
            whole_logits(u, r, u->weights);
            for (int64_t j = 0; j < n; j++) u->weights[j] = exponential(u->weights[j] - u->lse[i]);

            dots(dcontent, u->v, u->key, n, p->v, u->dweights);
            if (p->sensitive) {
                along(p, r, dplaced, p->v, p->v_rows, p->value_table, summed);
                vec *dw = u->dweights;
                for (int64_t o = r.top; o < r.bottom; o++)
                    for (int64_t s = r.left; s < r.right; s++) *dw++ += summed[o] + summed[p->rows + s];
                marginals(p, r, u->weights, summed);
                outer(p, r, dplaced, summed, p->v, p->v_rows, splat(1), u->dvalue_table);
            }
            for (int64_t j = 0; j < n; j++) dot += u->weights[j] * u->dweights[j];
            for (int64_t j = 0; j < n; j++) {
                dlogits[j] = u->weights[j] * (u->dweights[j] - dot);
                da += dlogits[j] * u->products[j];
            }

            gather(dlogits, u->k, u->key, n, p->qk, dq);
            for (int64_t c = 0; c < p->qk; c++) {
                dq[c] *= u->a;
                u->scaled[c] = u->a * q[c];
            }
            scatter(dlogits, u->scaled, u->dk, u->key, n, p->qk);
            scatter(u->weights, dcontent, u->dv, u->key, n, p->v);
            marginals(p, r, dlogits, summed);
            for (int64_t o = r.top; o < r.bottom; o++) db += summed[o] * position[o];
            for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) db += summed[s] * position[s];
            across(p, r, summed, p->qk, p->qk_rows, p->query_table, u->b, dq);
            outer(p, r, q, summed, p->qk, p->qk_rows, u->b, u->dquery_table);
            if (!p->sensitive) continue;
            int64_t j = 0;
            for (int64_t o = r.top; o < r.bottom; o++)
                for (int64_t s = r.left; s < r.right; s++, j++) {
                    vec *key = u->dkey_logits + u->key[j] * offsets;
                    key[o] += dlogits[j];
                    key[p->rows + s] += dlogits[j];
                }
        }
    if (!p->sensitive) return;
    for (int64_t i = 0; i < u->positions; i++) {
        Range r = to_key(p, i / p->width, i % p->width);
        const vec *g = u->dkey_logits + i * offsets, *logits = u->key_logits + i * offsets;
        for (int64_t o = r.top; o < r.bottom; o++) dc += g[o] * logits[o];
        for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) dc += g[s] * logits[s];
        across(p, r, g, p->qk, p->qk_rows, p->key_table, u->c, u->dk + i * p->qk);
        outer(p, r, u->k + i * p->qk, g, p->qk, p->qk_rows, u->c, u->dkey_table);
    }
    for (int64_t l = 0; l < u->lanes; l++) {
        REAL *dscale = p->dscale + (u->first + l) * 3;
        dscale[0] = da[l];
        dscale[1] = db[l];
        dscale[2] = dc[l];
    }
}

/* Sum and sum of squares of row[o] + column[s] over all offsets in r. */
static inline void add_moments(const Problem *p, Range r, const vec *products, vec *restrict sum, vec *restrict square) {
    vec row = {}, row2 = {}, column = {}, column2 = {};
    for (int64_t o = r.top; o < r.bottom; o++) {
        row += products[o];
        row2 += products[o] * products[o];
    }
    for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) {
        column += products[s];
        column2 += products[s] * products[s];
    }
    vec height = splat(r.bottom - r.top), width = splat(r.right - r.left);
    *sum += row * width + column * height;
    *square += row2 * width + column2 * height + 2 * row * column;
}

/* Adjoint of add_moments: out is the gradient by offset. */
static inline void add_moments_back(const Problem *p, Range r, const vec *products, vec dsum, vec dsquare,
                                    vec *restrict out) {
    vec row = {}, column = {}, height = splat(r.bottom - r.top), width = splat(r.right - r.left);
    for (int64_t o = r.top; o < r.bottom; o++) row += products[o];
    for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) column += products[s];
    for (int64_t o = r.top; o < r.bottom; o++) out[o] = width * dsum + 2 * dsquare * (width * products[o] + column);
    for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++)
        out[s] = height * dsum + 2 * dsquare * (height * products[s] + row);
}

static void observe(Unit *u) {
    const Problem *p = u->p;
    vec total[6] = {};
    for (int64_t y = 0, i = 0; y < p->height; y++) {
        vec line[6] = {}; /* summed by line first: the sums are long */
        for (int64_t x = 0; x < p->width; x++, i++) {
            Range r = from_query(p, y, x);
            int64_t n = list_keys(u, r, y, x);
            const vec *q = u->q + i * p->qk;
            vec sum = {}, square = {};
            dots(q, u->k, u->key, n, p->qk, u->products);
            for (int64_t j = 0; j < n; j++) {
                sum += u->products[j];
                square += u->products[j] * u->products[j];
            }
            line[0] += sum;
            line[1] += square;
            along(p, r, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
            add_moments(p, r, u->by_offset, line + 2, line + 3);
            add_moments(p, to_key(p, y, x), u->key_logits + i * (p->rows + p->columns), line + 4, line + 5);
        }
        for (int m = 0; m < 6; m++) total[m] += line[m];
    }
    for (int64_t l = 0; l < u->lanes; l++)
        for (int m = 0; m < 6; m++) p->moments[(u->first + l) * 6 + m] = total[m][l];
}

static void observe_back(Unit *u) {
    const Problem *p = u->p;
    vec g[6] = {}, one = splat(1);
    for (int64_t l = 0; l < u->lanes; l++)
        for (int m = 0; m < 6; m++) g[m][l] = p->moments[(u->first + l) * 6 + m];
    memset(u->dq, 0, u->positions * p->qk * sizeof(vec));
    memset(u->dk, 0, u->positions * p->qk * sizeof(vec));
    for (int64_t y = 0, i = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++, i++) {
            Range r = from_query(p, y, x);
            int64_t n = list_keys(u, r, y, x);
            const vec *q = u->q + i * p->qk, *k = u->k + i * p->qk;
            vec *dq = u->dq + i * p->qk, *position = u->by_offset, *dposition = position + p->rows + p->columns;
            dots(q, u->k, u->key, n, p->qk, u->products);
            for (int64_t j = 0; j < n; j++) u->products[j] = g[0] + 2 * g[1] * u->products[j];
            gather(u->products, u->k, u->key, n, p->qk, dq);
            scatter(u->products, q, u->dk, u->key, n, p->qk);
            along(p, r, q, p->qk, p->qk_rows, p->query_table, position);
            add_moments_back(p, r, position, g[2], g[3], dposition);
            across(p, r, dposition, p->qk, p->qk_rows, p->query_table, one, dq);
            outer(p, r, q, dposition, p->qk, p->qk_rows, one, u->dquery_table);
            r = to_key(p, y, x);
            add_moments_back(p, r, u->key_logits + i * (p->rows + p->columns), g[4], g[5], dposition);
            across(p, r, dposition, p->qk, p->qk_rows, p->key_table, one, u->dk + i * p->qk);
            outer(p, r, k, dposition, p->qk, p->qk_rows, one, u->dkey_table);
        }
}

/* ---------------------------------------------------------------- what is called */

enum { ATTEND, ATTEND_BACK, OBSERVE, OBSERVE_BACK };

static REAL across_lanes(vec x) {
    REAL s = 0;
    for (int64_t l = 0; l < LANES; l++) s += x[l];
    return s;
}

/* The groups from first to before last; 1 when memory ran out. */
int run_groups(const Problem *p, int64_t task, int64_t first, int64_t last) {
    int back = task == ATTEND_BACK || task == OBSERVE_BACK, values = task == ATTEND || task == ATTEND_BACK;
    int64_t units = (p->batch * p->heads * p->inner + LANES - 1) / LANES;
    Unit unit, *u = &unit;
    if (open_unit(u, p, back)) return 1;
    for (int64_t group = first; group < last; group++) {
        if (back) memset(u->dquery_table, 0, (2 * u->query_size + u->value_size) * sizeof(vec));
        for (int64_t i = units * group / p->groups; i < units * (group + 1) / p->groups; i++) {
            enter(u, i, values);
            if (task == ATTEND) {
                attend(u);
                store(u, &p->content, p->v, u->content);
                if (p->sensitive) store(u, &p->placed, p->v, u->placed);
                if (p->lse) keep(u, p->lse, u->lse, 0);
            } else if (task == ATTEND_BACK) {
                load(u, &p->content, p->v, u->content);
                if (p->sensitive) load(u, &p->placed, p->v, u->placed);
                keep(u, p->lse, u->lse, 1);
                attend_back(u);
                store(u, &p->dvalue, p->v, u->dv);
            } else if (task == OBSERVE)
                observe(u);
            else
                observe_back(u);
            if (!back) continue;
            store(u, &p->dq, p->qk, u->dq);
            store(u, &p->dk, p->qk, u->dk);
        }
        if (!back) continue;
        int64_t size = 2 * u->query_size + u->value_size;
        for (int64_t t = 0; t < size; t++) p->dtables[group * size + t] = across_lanes(u->dquery_table[t]);
    }
    free(u->memory);
    return 0;
}
