/* Attention of every position of a map over a window around it, with relative positions: the loops.

   logit(i, j) = a q_i.k_j + b q_i.r_q[j - i] + c k_j.r_k[j - i],
   weights p = softmax over the j in the window and on the map,
   content_i = sum_j p_ij v_j,   placed_i = sum_j p_ij r_v[j - i].

   Position vectors are separable: the first dimensions depend on the row offset alone, the others on the column offset.
   So a window costs its pairs only in q.k and p.v, and rows + columns in all else. One row of a map with a window that
   reaches from end to end is axial attention.

   Maps are independent, hence vector lanes are maps: a unit of work is one vector of maps, copied in so that the values
   of all its maps at one position and channel are one vector. No size leaves a rest that does not fill a vector.
   Nothing of the size of all pairs is kept: backward computes the logits again. A unit sweeps over its maps from top to
   bottom in strips of rows, and holds only the keys that the strip sees, so that they stay in the cache.

   Units are summed in a fixed number of groups, so results do not depend on the number of threads. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef REAL
#define REAL float
#endif
/* As wide as the processor's registers: wider vectors are split, spill, and cost twice the time. */
#ifdef __AVX512F__
#define VECTOR 64
#else
#define VECTOR 32
#endif
#define LANES ((int64_t)(VECTOR / sizeof(REAL)))
typedef REAL vec __attribute__((vector_size(VECTOR)));

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
    REAL *softmax;  /* (maps, positions, 2): the largest logit, and one over the sum of the exponentials below it */
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
    typedef int32_t ivec __attribute__((vector_size(VECTOR)));
    typedef float fvec __attribute__((vector_size(VECTOR)));
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

/* out[i] = x . base[key[i]] */
static inline void dots(const vec *restrict x, const vec *restrict base, const int32_t *key, int64_t n, int64_t d,
                        vec *restrict out) {
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const vec *k0 = base + key[i] * d, *k1 = base + key[i + 1] * d;
        const vec *k2 = base + key[i + 2] * d, *k3 = base + key[i + 3] * d;
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

/* Channels from first, WIDTH of them in registers: out += sum_i w[i] base[key[i]] */
#define GATHER(WIDTH)                                                 \
    for (; first + WIDTH <= d; first += WIDTH) {                      \
        vec a[WIDTH];                                                 \
        for (int c = 0; c < WIDTH; c++) a[c] = out[first + c];        \
        for (int64_t i = 0; i < n; i++) {                             \
            const vec *k = base + key[i] * d + first;                 \
            vec wi = w[i];                                            \
            for (int c = 0; c < WIDTH; c++) a[c] += wi * k[c];        \
        }                                                             \
        for (int c = 0; c < WIDTH; c++) out[first + c] = a[c];        \
    }

static inline void gather(const vec *restrict w, const vec *restrict base, const int32_t *key, int64_t n, int64_t d,
                          vec *restrict out) {
    int64_t first = 0;
    GATHER(8)
    GATHER(4)
    GATHER(2)
    GATHER(1)
}

/* Its adjoint: base[key[i]] += w[i] x */
#define SCATTER(WIDTH)                                                \
    for (; first + WIDTH <= d; first += WIDTH) {                      \
        vec a[WIDTH];                                                 \
        for (int c = 0; c < WIDTH; c++) a[c] = x[first + c];          \
        for (int64_t i = 0; i < n; i++) {                             \
            vec *k = base + key[i] * d + first;                       \
            vec wi = w[i];                                            \
            for (int c = 0; c < WIDTH; c++) k[c] += wi * a[c];        \
        }                                                             \
    }

static inline void scatter(const vec *restrict w, const vec *restrict x, vec *restrict base, const int32_t *key,
                           int64_t n, int64_t d) {
    int64_t first = 0;
    SCATTER(8)
    SCATTER(4)
    SCATTER(2)
    SCATTER(1)
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

/* out[o] = x . table[:, o], a table of d rows of `size` offsets, from first to before last. */
static inline void along_one(const vec *x, int64_t d, const REAL *table, int64_t size, int64_t first, int64_t last,
                             vec *restrict out) {
    int64_t o = first;
    for (; o + 4 <= last; o += 4) {
        vec a0 = {}, a1 = {}, a2 = {}, a3 = {};
        for (int64_t c = 0; c < d; c++) {
            const REAL *t = table + c * size + o;
            a0 += x[c] * t[0];
            a1 += x[c] * t[1];
            a2 += x[c] * t[2];
            a3 += x[c] * t[3];
        }
        out[o] = a0;
        out[o + 1] = a1;
        out[o + 2] = a2;
        out[o + 3] = a3;
    }
    for (; o < last; o++) {
        vec a = {};
        for (int64_t c = 0; c < d; c++) a += x[c] * table[c * size + o];
        out[o] = a;
    }
}

/* Its adjoint in x: out[c] += scale g . table[c] */
static inline void across_one(const vec *g, int64_t d, const REAL *table, int64_t size, int64_t first, int64_t last,
                              vec scale, vec *restrict out) {
    int64_t c = 0;
    for (; c + 4 <= d; c += 4) {
        const REAL *t0 = table + c * size, *t1 = t0 + size, *t2 = t1 + size, *t3 = t2 + size;
        vec a0 = {}, a1 = {}, a2 = {}, a3 = {};
        for (int64_t o = first; o < last; o++) {
            a0 += g[o] * t0[o];
            a1 += g[o] * t1[o];
            a2 += g[o] * t2[o];
            a3 += g[o] * t3[o];
        }
        out[c] += scale * a0;
        out[c + 1] += scale * a1;
        out[c + 2] += scale * a2;
        out[c + 3] += scale * a3;
    }
    for (; c < d; c++) {
        vec a = {};
        for (int64_t o = first; o < last; o++) a += g[o] * table[c * size + o];
        out[c] += scale * a;
    }
}

/* Its adjoint in the table: dtable[c, o] += scale x[c] g[o] */
static inline void outer_one(const vec *x, const vec *g, int64_t d, int64_t size, int64_t first, int64_t last,
                             vec scale, vec *restrict dtable) {
    for (int64_t c = 0; c < d; c++) {
        vec a = scale * x[c];
        for (int64_t o = first; o < last; o++) dtable[c * size + o] += a * g[o];
    }
}

/* The same with the position vectors of the offsets in r, the first d_rows channels by row offset, the others by column
   offset. Values by offset are rows values, then columns values. */
static inline void along(const Problem *p, Range r, const vec *x, int64_t d, int64_t d_rows, const REAL *table,
                         vec *restrict out) {
    along_one(x, d_rows, table, p->rows, r.top, r.bottom, out);
    along_one(x + d_rows, d - d_rows, table + d_rows * p->rows, p->columns, r.left, r.right, out + p->rows);
}

static inline void across(const Problem *p, Range r, const vec *g, int64_t d, int64_t d_rows, const REAL *table,
                          vec scale, vec *restrict out) {
    across_one(g, d_rows, table, p->rows, r.top, r.bottom, scale, out);
    across_one(g + p->rows, d - d_rows, table + d_rows * p->rows, p->columns, r.left, r.right, scale, out + d_rows);
}

static inline void outer(const Problem *p, Range r, const vec *x, const vec *g, int64_t d, int64_t d_rows, vec scale,
                         vec *restrict dtable) {
    outer_one(x, g, d_rows, p->rows, r.top, r.bottom, scale, dtable);
    outer_one(x + d_rows, g + p->rows, d - d_rows, p->columns, r.left, r.right, scale, dtable + d_rows * p->rows);
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

enum { ATTEND, ATTEND_BACK, OBSERVE, OBSERVE_BACK };

typedef struct {
    const Problem *p;
    int task;
    int64_t first, lanes;           /* map of lane 0; lanes in use: the last unit may be short */
    int64_t start[64];              /* of each lane's map, in the tensor at hand */
    int64_t strip, ring;            /* rows that are copied at once; rows of keys that are held */
    int64_t offsets;                /* rows + columns */
    int64_t query_size, value_size; /* of the tables */
    vec a, b, c, da, db, dc;
    vec moments[6], line[6];                                /* the sums are long: summed by strip first */
    vec *q, *dq, *content, *placed, *softmax;               /* of the strip */
    vec *k, *v, *key_logits, *dk, *dv, *dkey_logits;        /* of the ring */
    vec *products, *weights, *dweights, *by_offset, *other; /* of a query */
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

static int open_unit(Unit *u, const Problem *p, int task) {
    u->p = p;
    u->task = task;
    u->offsets = p->rows + p->columns;
    u->query_size = table_size(p, p->qk, p->qk_rows);
    u->value_size = table_size(p, p->v, p->v_rows);
    u->strip = p->width < LANES ? (LANES + p->width - 1) / p->width : 1;
    int64_t seen = p->rows + 3 * u->strip; /* above and below the strip, in whole strips */
    u->ring = ((seen < p->height ? seen : p->height) + u->strip - 1) / u->strip * u->strip;
    int64_t strip = u->strip * p->width, ring = u->ring * p->width, pairs = p->rows * p->columns;
    int64_t size = strip * (2 * p->qk + 2 * p->v + 2) + ring * 2 * (p->qk + p->v + u->offsets) + 4 * pairs +
                   2 * u->offsets + p->qk + 2 * u->query_size + u->value_size;
    u->next = u->memory = aligned_alloc(64, size * sizeof(vec));
    if (!u->memory) return 1;
    u->q = reserve(u, strip * p->qk);
    u->dq = reserve(u, strip * p->qk);
    u->content = reserve(u, strip * p->v);
    u->placed = reserve(u, strip * p->v);
    u->softmax = reserve(u, strip * 2);
    u->k = reserve(u, ring * p->qk);
    u->v = reserve(u, ring * p->v);
    u->key_logits = reserve(u, ring * u->offsets);
    u->dk = reserve(u, ring * p->qk);
    u->dv = reserve(u, ring * p->v);
    u->dkey_logits = reserve(u, ring * u->offsets);
    u->products = reserve(u, pairs);
    u->weights = reserve(u, pairs);
    u->dweights = reserve(u, pairs);
    u->key = (int32_t *)reserve(u, pairs);
    u->by_offset = reserve(u, u->offsets);
    u->other = reserve(u, u->offsets + p->qk);
    u->dquery_table = reserve(u, u->query_size);
    u->dkey_table = reserve(u, u->query_size);
    u->dvalue_table = reserve(u, u->value_size);
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

/* Rows from first to before last in: (position, channel) vectors. */
static void load(Unit *u, const Maps *m, int64_t channels, int64_t first, int64_t last, vec *restrict out) {
    const Problem *p = u->p;
    int64_t begin = first * p->width, count = (last - first) * p->width;
    locate(u, m);
    if (adjacent(u)) {
        const REAL *from = m->data + u->start[0] + begin * p->step;
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; c < channels; c++)
                memcpy(out + i * channels + c, from + c * p->plane + i * p->step, sizeof(vec));
        return;
    }
    if (u->lanes < LANES) memset(out, 0, count * channels * sizeof(vec));
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < count; i += 16) {
            int64_t end = i + 16 < count ? i + 16 : count;
            for (int64_t l = 0; l < u->lanes; l++) {
                const REAL *from = m->data + u->start[l] + c * p->plane + begin * p->step;
                REAL *to = (REAL *)(out + c) + l;
                for (int64_t j = i; j < end; j++) to[j * channels * LANES] = from[j * p->step];
            }
        }
}

/* The inverse of load. */
static void store(Unit *u, const Maps *m, int64_t channels, int64_t first, int64_t last, const vec *restrict in) {
    const Problem *p = u->p;
    int64_t begin = first * p->width, count = (last - first) * p->width;
    locate(u, m);
    if (adjacent(u)) {
        REAL *to = m->data + u->start[0] + begin * p->step;
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; c < channels; c++)
                memcpy(to + c * p->plane + i * p->step, in + i * channels + c, sizeof(vec));
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < count; i += 16) {
            int64_t end = i + 16 < count ? i + 16 : count;
            for (int64_t l = 0; l < u->lanes; l++) {
                REAL *to = m->data + u->start[l] + c * p->plane + begin * p->step;
                const REAL *from = (const REAL *)(in + c) + l;
                for (int64_t j = i; j < end; j++) to[j * p->step] = from[j * channels * LANES];
            }
        }
}

/* What the softmax of each query was, out or in. */
static void keep(Unit *u, int64_t first, int64_t last, int in) {
    const Problem *p = u->p;
    int64_t begin = first * p->width, count = (last - first) * p->width;
    if (in) memset(u->softmax, 0, 2 * count * sizeof(vec));
    for (int64_t l = 0; l < u->lanes; l++) {
        REAL *there = p->softmax + 2 * ((u->first + l) * p->height * p->width + begin);
        for (int64_t i = 0; i < 2 * count; i++)
            if (in)
                u->softmax[i][l] = there[i];
            else
                there[i] = u->softmax[i][l];
    }
}

static inline int64_t slot(const Unit *u, int64_t y, int64_t x) { return y % u->ring * u->p->width + x; }

static int64_t list_keys(const Unit *u, Range r, int64_t y, int64_t x) {
    int64_t n = 0;
    for (int64_t o = r.top; o < r.bottom; o++) {
        int64_t row = slot(u, y + o - u->p->rows / 2, x - u->p->columns / 2);
        for (int64_t s = r.left; s < r.right; s++) u->key[n++] = (int32_t)(row + s);
    }
    return n;
}

/* From products q.k, and the query's products with its positions in by_offset. */
static inline void whole_logits(const Unit *u, Range r, vec *restrict out) {
    const Problem *p = u->p;
    int64_t n = 0;
    for (int64_t o = r.top; o < r.bottom; o++)
        for (int64_t s = r.left; s < r.right; s++, n++) {
            vec position = u->b * (u->by_offset[o] + u->by_offset[p->rows + s]);
            if (p->sensitive) {
                const vec *key = u->key_logits + u->key[n] * u->offsets;
                position += u->c * (key[o] + key[p->rows + s]);
            }
            out[n] = u->a * u->products[n] + position;
        }
}

/* ---------------------------------------------------------------- a query; i counts within the strip */

static void attend(Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Range r = from_query(p, y, x);
    int64_t n = list_keys(u, r, y, x);
    const vec *q = u->q + i * p->qk;
    vec *content = u->content + i * p->v, *placed = u->placed + i * p->v, *weights = u->weights;
    dots(q, u->k, u->key, n, p->qk, u->products);
    along(p, r, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    whole_logits(u, r, weights);
    vec largest = weights[0], sum = {};
    for (int64_t j = 1; j < n; j++) largest = larger(largest, weights[j]);
    for (int64_t j = 0; j < n; j++) sum += weights[j] = exponential(weights[j] - largest);
    vec inverse = 1 / sum;
    for (int64_t j = 0; j < n; j++) weights[j] *= inverse;
    u->softmax[2 * i] = largest;
    u->softmax[2 * i + 1] = inverse;
    memset(content, 0, p->v * sizeof(vec));
    gather(weights, u->v, u->key, n, p->v, content);
    if (!p->sensitive) return;
    memset(placed, 0, p->v * sizeof(vec));
    marginals(p, r, weights, u->by_offset);
    across(p, r, u->by_offset, p->v, p->v_rows, p->value_table, splat(1), placed);
}

static void attend_back(Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Range r = from_query(p, y, x);
    int64_t n = list_keys(u, r, y, x);
    const vec *q = u->q + i * p->qk, *dcontent = u->content + i * p->v, *dplaced = u->placed + i * p->v;
    vec *dq = u->dq + i * p->qk, *weights = u->weights, *dweights = u->dweights, *dlogits = u->dweights, dot = {};
    vec *summed = u->other, *scaled = u->other + u->offsets;
    dots(q, u->k, u->key, n, p->qk, u->products);
    along(p, r, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    whole_logits(u, r, weights);
    vec largest = u->softmax[2 * i], inverse = u->softmax[2 * i + 1];
    for (int64_t j = 0; j < n; j++) weights[j] = inverse * exponential(weights[j] - largest);

    dots(dcontent, u->v, u->key, n, p->v, dweights);
    if (p->sensitive) {
        along(p, r, dplaced, p->v, p->v_rows, p->value_table, summed);
        int64_t j = 0;
        for (int64_t o = r.top; o < r.bottom; o++)
            for (int64_t s = r.left; s < r.right; s++) dweights[j++] += summed[o] + summed[p->rows + s];
        marginals(p, r, weights, summed);
        outer(p, r, dplaced, summed, p->v, p->v_rows, splat(1), u->dvalue_table);
    }
    for (int64_t j = 0; j < n; j++) dot += weights[j] * dweights[j];
    for (int64_t j = 0; j < n; j++) {
        dlogits[j] = weights[j] * (dweights[j] - dot);
        u->da += dlogits[j] * u->products[j];
    }

    memset(dq, 0, p->qk * sizeof(vec));
    gather(dlogits, u->k, u->key, n, p->qk, dq);
    for (int64_t c = 0; c < p->qk; c++) {
        dq[c] *= u->a;
        scaled[c] = u->a * q[c];
    }
    scatter(dlogits, scaled, u->dk, u->key, n, p->qk);
    scatter(weights, dcontent, u->dv, u->key, n, p->v);
    marginals(p, r, dlogits, summed);
    for (int64_t o = r.top; o < r.bottom; o++) u->db += summed[o] * u->by_offset[o];
    for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) u->db += summed[s] * u->by_offset[s];
    across(p, r, summed, p->qk, p->qk_rows, p->query_table, u->b, dq);
    outer(p, r, q, summed, p->qk, p->qk_rows, u->b, u->dquery_table);
    if (!p->sensitive) return;
    int64_t j = 0;
    for (int64_t o = r.top; o < r.bottom; o++)
        for (int64_t s = r.left; s < r.right; s++, j++) {
            vec *key = u->dkey_logits + u->key[j] * u->offsets;
            key[o] += dlogits[j];
            key[p->rows + s] += dlogits[j];
        }
}

/* Sum and sum of squares of row[o] + column[s] over all offsets in r. */
static inline void add_moments(const Problem *p, Range r, const vec *products, vec *restrict sum,
                               vec *restrict square) {
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

static void observe(Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Range r = from_query(p, y, x);
    int64_t n = list_keys(u, r, y, x);
    const vec *q = u->q + i * p->qk;
    vec sum = {}, square = {};
    dots(q, u->k, u->key, n, p->qk, u->products);
    for (int64_t j = 0; j < n; j++) {
        sum += u->products[j];
        square += u->products[j] * u->products[j];
    }
    u->line[0] += sum;
    u->line[1] += square;
    along(p, r, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    add_moments(p, r, u->by_offset, u->line + 2, u->line + 3);
}

static void observe_back(Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Range r = from_query(p, y, x);
    int64_t n = list_keys(u, r, y, x);
    const vec *q = u->q + i * p->qk;
    vec *dq = u->dq + i * p->qk;
    dots(q, u->k, u->key, n, p->qk, u->products);
    for (int64_t j = 0; j < n; j++) u->products[j] = u->moments[0] + 2 * u->moments[1] * u->products[j];
    memset(dq, 0, p->qk * sizeof(vec));
    gather(u->products, u->k, u->key, n, p->qk, dq);
    scatter(u->products, q, u->dk, u->key, n, p->qk);
    along(p, r, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    add_moments_back(p, r, u->by_offset, u->moments[2], u->moments[3], u->other);
    across(p, r, u->other, p->qk, p->qk_rows, p->query_table, splat(1), dq);
    outer(p, r, q, u->other, p->qk, p->qk_rows, splat(1), u->dquery_table);
}

/* ---------------------------------------------------------------- a sweep over the maps of a unit */

/* Rows of keys come into the ring. */
static void enter_keys(Unit *u, int64_t first, int64_t last) {
    const Problem *p = u->p;
    int64_t begin = slot(u, first, 0), count = (last - first) * p->width;
    load(u, &p->k, p->qk, first, last, u->k + begin * p->qk);
    if (u->task == ATTEND || u->task == ATTEND_BACK) load(u, &p->value, p->v, first, last, u->v + begin * p->v);
    if (u->task == ATTEND_BACK || u->task == OBSERVE_BACK) {
        memset(u->dk + begin * p->qk, 0, count * p->qk * sizeof(vec));
        memset(u->dv + begin * p->v, 0, count * p->v * sizeof(vec));
        memset(u->dkey_logits + begin * u->offsets, 0, count * u->offsets * sizeof(vec));
    }
    if (!p->sensitive) return;
    for (int64_t i = 0; i < count; i++) {
        Range r = to_key(p, first + i / p->width, i % p->width);
        vec *logits = u->key_logits + (begin + i) * u->offsets;
        along(p, r, u->k + (begin + i) * p->qk, p->qk, p->qk_rows, p->key_table, logits);
        if (u->task == OBSERVE) add_moments(p, r, logits, u->line + 4, u->line + 5);
    }
}

/* Rows of keys have been seen by all their queries. */
static void leave_keys(Unit *u, int64_t first, int64_t last) {
    const Problem *p = u->p;
    if (u->task == ATTEND || u->task == OBSERVE) return;
    int64_t begin = slot(u, first, 0), count = (last - first) * p->width;
    for (int64_t i = 0; i < count && p->sensitive; i++) {
        Range r = to_key(p, first + i / p->width, i % p->width);
        const vec *logits = u->key_logits + (begin + i) * u->offsets, *k = u->k + (begin + i) * p->qk;
        vec *g = u->dkey_logits + (begin + i) * u->offsets, *dk = u->dk + (begin + i) * p->qk;
        if (u->task == OBSERVE_BACK)
            add_moments_back(p, r, logits, u->moments[4], u->moments[5], g);
        else {
            for (int64_t o = r.top; o < r.bottom; o++) u->dc += g[o] * logits[o];
            for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) u->dc += g[s] * logits[s];
        }
        across(p, r, g, p->qk, p->qk_rows, p->key_table, u->c, dk);
        outer(p, r, k, g, p->qk, p->qk_rows, u->c, u->dkey_table);
    }
    store(u, &p->dk, p->qk, first, last, u->dk + begin * p->qk);
    if (u->task == ATTEND_BACK) store(u, &p->dvalue, p->v, first, last, u->dv + begin * p->v);
}

static void sweep(Unit *u) {
    const Problem *p = u->p;
    int task = u->task;
    int64_t entered = 0, left = 0;
    for (int64_t top = 0; top < p->height; top += u->strip) {
        int64_t bottom = top + u->strip < p->height ? top + u->strip : p->height;
        memset(u->line, 0, sizeof u->line);
        while (entered < p->height && entered < bottom + p->rows / 2) {
            int64_t next = entered + u->strip < p->height ? entered + u->strip : p->height;
            enter_keys(u, entered, next);
            entered = next;
        }
        load(u, &p->q, p->qk, top, bottom, u->q);
        if (task == ATTEND_BACK) {
            load(u, &p->content, p->v, top, bottom, u->content);
            if (p->sensitive) load(u, &p->placed, p->v, top, bottom, u->placed);
            keep(u, top, bottom, 1);
        }
        for (int64_t y = top, i = 0; y < bottom; y++)
            for (int64_t x = 0; x < p->width; x++, i++) {
                if (task == ATTEND) attend(u, y, x, i);
                if (task == ATTEND_BACK) attend_back(u, y, x, i);
                if (task == OBSERVE) observe(u, y, x, i);
                if (task == OBSERVE_BACK) observe_back(u, y, x, i);
            }
        if (task == ATTEND) {
            store(u, &p->content, p->v, top, bottom, u->content);
            if (p->sensitive) store(u, &p->placed, p->v, top, bottom, u->placed);
            keep(u, top, bottom, 0);
        }
        if (task == OBSERVE)
            for (int m = 0; m < 6; m++) u->moments[m] += u->line[m];
        if (task == ATTEND_BACK || task == OBSERVE_BACK) store(u, &p->dq, p->qk, top, bottom, u->dq);
        while (left < p->height && (bottom == p->height || left + u->strip <= bottom - p->rows / 2)) {
            int64_t next = left + u->strip < p->height ? left + u->strip : p->height;
            leave_keys(u, left, next);
            left = next;
        }
    }
}

static void run_unit(Unit *u, int64_t unit) {
    const Problem *p = u->p;
    u->first = unit * LANES;
    int64_t others = p->batch * p->heads * p->inner - u->first;
    u->lanes = others < LANES ? others : LANES;
    u->a = u->b = u->c = splat(1);
    u->da = u->db = u->dc = (vec){};
    memset(u->moments, 0, sizeof u->moments);
    for (int64_t l = 0; l < u->lanes && p->scale; l++) {
        const REAL *scale = p->scale + (u->first + l) / p->inner % p->heads * 3;
        u->a[l] = scale[0];
        u->b[l] = scale[1];
        u->c[l] = scale[2];
    }
    for (int64_t l = 0; l < u->lanes && u->task == OBSERVE_BACK; l++)
        for (int m = 0; m < 6; m++) u->moments[m][l] = p->moments[(u->first + l) * 6 + m];
    sweep(u);
    for (int64_t l = 0; l < u->lanes && u->task == OBSERVE; l++)
        for (int m = 0; m < 6; m++) p->moments[(u->first + l) * 6 + m] = u->moments[m][l];
    for (int64_t l = 0; l < u->lanes && u->task == ATTEND_BACK && p->sensitive; l++) {
        REAL *dscale = p->dscale + (u->first + l) * 3;
        dscale[0] = u->da[l];
        dscale[1] = u->db[l];
        dscale[2] = u->dc[l];
    }
}

/* ---------------------------------------------------------------- what is called */

static REAL across_lanes(vec x) {
    REAL s = 0;
    for (int64_t l = 0; l < LANES; l++) s += x[l];
    return s;
}

/* The groups from first to before last; 1 when memory ran out. */
int run_groups(const Problem *p, int64_t task, int64_t first, int64_t last) {
    int64_t units = (p->batch * p->heads * p->inner + LANES - 1) / LANES;
    Unit unit, *u = &unit;
    if (open_unit(u, p, (int)task)) return 1;
    int64_t size = 2 * u->query_size + u->value_size; /* the tables' gradients lie end to end */
    for (int64_t group = first; group < last; group++) {
        memset(u->dquery_table, 0, size * sizeof(vec));
        for (int64_t i = units * group / p->groups; i < units * (group + 1) / p->groups; i++) run_unit(u, i);
        if (!p->dtables) continue;
        for (int64_t t = 0; t < size; t++) p->dtables[group * size + t] = across_lanes(u->dquery_table[t]);
    }
    free(u->memory);
    return 0;
}
