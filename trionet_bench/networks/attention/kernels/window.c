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
#ifdef _OPENMP
#include <omp.h>
#endif

#ifndef REAL
#define REAL float
#define BYTES 4
#endif
/* As wide as the processor's registers: wider vectors are split, spill, and cost twice the time. */
#ifndef VECTOR
#ifdef __AVX512F__
#define VECTOR 64
#else
#define VECTOR 32
#endif
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

/* Turns LANES vectors, rows of a square, into its columns: in every step S, elements S apart change places across
   vectors S apart. */
#define LANE(F, k, S) F(k, S), F(k + 1, S), F(k + 2, S), F(k + 3, S)
#if VECTOR / BYTES == 4
#define ALL_LANES(F, S) LANE(F, 0, S)
#elif VECTOR / BYTES == 8
#define ALL_LANES(F, S) LANE(F, 0, S), LANE(F, 4, S)
#else
#define ALL_LANES(F, S) LANE(F, 0, S), LANE(F, 4, S), LANE(F, 8, S), LANE(F, 12, S)
#endif
#define LOW(k, S) ((k) & (S) ? VECTOR / BYTES + (k) - (S) : (k))
#define HIGH(k, S) ((k) & (S) ? VECTOR / BYTES + (k) : (k) + (S))
#if BYTES == 4
typedef int32_t Places __attribute__((vector_size(VECTOR)));
#else
typedef int64_t Places __attribute__((vector_size(VECTOR)));
#endif
#ifdef __clang__
#define SHUFFLE(a, b, F, S) __builtin_shufflevector(a, b, ALL_LANES(F, S))
#else
#define SHUFFLE(a, b, F, S) __builtin_shuffle(a, b, (Places){ALL_LANES(F, S)})
#endif
#define EXCHANGE(S)                               \
    for (int64_t i = 0; i < LANES; i++)           \
        if (!(i & (S))) {                         \
            vec a = x[i], b = x[i + (S)];         \
            x[i] = SHUFFLE(a, b, LOW, S);         \
            x[i + (S)] = SHUFFLE(a, b, HIGH, S);  \
        }

static inline void transpose(vec *x) {
    EXCHANGE(1)
    EXCHANGE(2)
#if VECTOR / BYTES > 4
    EXCHANGE(4)
#endif
#if VECTOR / BYTES > 8
    EXCHANGE(8)
#endif
}

/* Neighbours in a row, queries or keys, are worked on together, up to four of them: what one reads serves all. How many
   is known when the code is compiled, so that their sums stay in registers: eight of them at a time. */
#define MOST 4
#define TOGETHER static inline __attribute__((always_inline))
#define EVERY(t, count) for (int t = 0; t < (count); t++)

/* out[t][i] = x[t] . base[key[i]]; x[t] are d apart, out[t] are far apart */
#define DOTS(KEYS)                                                             \
    for (; i + KEYS <= n; i += KEYS) {                                         \
        const vec *k[KEYS];                                                    \
        vec a[MOST][KEYS] = {};                                                \
        EVERY(j, KEYS) k[j] = base + key[i + j] * d;                           \
        for (int64_t c = 0; c < d; c++)                                        \
            EVERY(t, Q) EVERY(j, KEYS) a[t][j] += x[t * d + c] * k[j][c];      \
        EVERY(t, Q) EVERY(j, KEYS) out[t * far + i + j] = a[t][j];             \
    }

TOGETHER void dots(const int Q, const vec *restrict x, const vec *restrict base, const int32_t *key, int64_t n,
                   int64_t d, int64_t far, vec *restrict out) {
    int64_t i = 0;
    if (Q == 4) DOTS(2)
    if (Q < 4) DOTS(4)
    DOTS(1)
}

/* Channels from first, WIDTH of them in registers: out[t] += sum_i w[t][i] base[key[i]] */
#define GATHER(WIDTH)                                                                  \
    for (; first + WIDTH <= d; first += WIDTH) {                                       \
        vec a[MOST][WIDTH];                                                            \
        EVERY(t, Q) EVERY(c, WIDTH) a[t][c] = out[t * d + first + c];                  \
        for (int64_t i = 0; i < n; i++) {                                              \
            const vec *k = base + key[i] * d + first;                                  \
            EVERY(t, Q) EVERY(c, WIDTH) a[t][c] += w[t * far + i] * k[c];              \
        }                                                                              \
        EVERY(t, Q) EVERY(c, WIDTH) out[t * d + first + c] = a[t][c];                  \
    }

TOGETHER void gather(const int Q, const vec *restrict w, const vec *restrict base, const int32_t *key, int64_t n,
                     int64_t d, int64_t far, vec *restrict out) {
    int64_t first = 0;
    if (Q == 1) GATHER(8)
    if (Q < 4) GATHER(4)
    GATHER(2)
    GATHER(1)
}

/* Its adjoint: base[key[i]] += sum_t w[t][i] x[t] */
#define SCATTER(WIDTH)                                                                 \
    for (; first + WIDTH <= d; first += WIDTH) {                                       \
        vec a[MOST][WIDTH];                                                            \
        EVERY(t, Q) EVERY(c, WIDTH) a[t][c] = x[t * d + first + c];                    \
        for (int64_t i = 0; i < n; i++) {                                              \
            vec *k = base + key[i] * d + first;                                        \
            EVERY(t, Q) EVERY(c, WIDTH) k[c] += w[t * far + i] * a[t][c];              \
        }                                                                              \
    }

TOGETHER void scatter(const int Q, const vec *restrict w, const vec *restrict x, vec *restrict base,
                      const int32_t *key, int64_t n, int64_t d, int64_t far) {
    int64_t first = 0;
    if (Q == 1) SCATTER(8)
    if (Q < 4) SCATTER(4)
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

/* Offsets that any of several needs. */
static inline Range joined(Range a, Range b) {
    return (Range){
        a.top < b.top ? a.top : b.top,
        a.bottom > b.bottom ? a.bottom : b.bottom,
        a.left < b.left ? a.left : b.left,
        a.right > b.right ? a.right : b.right,
    };
}

/* out[t][o] = x[t] . table[:, o], a table of d rows of `size` offsets, from first to before last; x[t] are wide apart,
   values by offset are far apart. */
#define ALONG(OFFSETS)                                                                 \
    for (; o + OFFSETS <= last; o += OFFSETS) {                                        \
        vec a[MOST][OFFSETS] = {};                                                     \
        for (int64_t c = 0; c < d; c++) {                                              \
            const REAL *row = table + c * size + o;                                    \
            EVERY(t, Q) EVERY(j, OFFSETS) a[t][j] += x[t * wide + c] * row[j];         \
        }                                                                              \
        EVERY(t, Q) EVERY(j, OFFSETS) out[t * far + o + j] = a[t][j];                  \
    }

TOGETHER void along_one(const int Q, const vec *x, int64_t wide, int64_t d, const REAL *table, int64_t size,
                        int64_t first, int64_t last, int64_t far, vec *restrict out) {
    int64_t o = first;
    if (Q == 4) ALONG(2)
    if (Q < 4) ALONG(4)
    ALONG(1)
}

/* Its adjoint in x: out[t][c] += scale g[t] . table[c] */
#define ACROSS(CHANNELS)                                                               \
    for (; c + CHANNELS <= d; c += CHANNELS) {                                         \
        vec a[MOST][CHANNELS] = {};                                                    \
        for (int64_t o = first; o < last; o++)                                         \
            EVERY(t, Q) EVERY(j, CHANNELS) a[t][j] += g[t * far + o] * table[(c + j) * size + o]; \
        EVERY(t, Q) EVERY(j, CHANNELS) out[t * wide + c + j] += scale * a[t][j];       \
    }

TOGETHER void across_one(const int Q, const vec *g, int64_t far, int64_t d, const REAL *table, int64_t size,
                         int64_t first, int64_t last, vec scale, int64_t wide, vec *restrict out) {
    int64_t c = 0;
    if (Q == 4) ACROSS(2)
    if (Q < 4) ACROSS(4)
    ACROSS(1)
}

/* Its adjoint in the table: dtable[c, o] += scale sum_t x[t][c] g[t][o] */
#define OUTER(CHANNELS)                                                                \
    for (; c + CHANNELS <= d; c += CHANNELS) {                                         \
        vec a[MOST][CHANNELS];                                                         \
        EVERY(t, Q) EVERY(j, CHANNELS) a[t][j] = scale * x[t * wide + c + j];          \
        for (int64_t o = first; o < last; o++)                                         \
            EVERY(t, Q) EVERY(j, CHANNELS) dtable[(c + j) * size + o] += a[t][j] * g[t * far + o]; \
    }

TOGETHER void outer_one(const int Q, const vec *x, int64_t wide, const vec *g, int64_t far, int64_t d, int64_t size,
                        int64_t first, int64_t last, vec scale, vec *restrict dtable) {
    int64_t c = 0;
    OUTER(2)
    OUTER(1)
}

/* The same with the position vectors of the offsets in r, the first d_rows channels by row offset, the others by column
   offset. Values by offset are rows values, then columns values. */
TOGETHER void along(const int Q, const Problem *p, Range r, const vec *x, int64_t d, int64_t d_rows,
                    const REAL *table, vec *restrict out) {
    int64_t far = p->rows + p->columns;
    along_one(Q, x, d, d_rows, table, p->rows, r.top, r.bottom, far, out);
    along_one(Q, x + d_rows, d, d - d_rows, table + d_rows * p->rows, p->columns, r.left, r.right, far,
              out + p->rows);
}

TOGETHER void across(const int Q, const Problem *p, Range r, const vec *g, int64_t d, int64_t d_rows,
                     const REAL *table, vec scale, vec *restrict out) {
    int64_t far = p->rows + p->columns;
    across_one(Q, g, far, d_rows, table, p->rows, r.top, r.bottom, scale, d, out);
    across_one(Q, g + p->rows, far, d - d_rows, table + d_rows * p->rows, p->columns, r.left, r.right, scale, d,
               out + d_rows);
}

TOGETHER void outer(const int Q, const Problem *p, Range r, const vec *x, const vec *g, int64_t d, int64_t d_rows,
                    vec scale, vec *restrict dtable) {
    int64_t far = p->rows + p->columns;
    outer_one(Q, x, d, g, far, d_rows, p->rows, r.top, r.bottom, scale, dtable);
    outer_one(Q, x + d_rows, d, g + p->rows, far, d - d_rows, p->columns, r.left, r.right, scale,
              dtable + d_rows * p->rows);
}

/* ---------------------------------------------------------------- neighbouring queries */

/* The keys that any of them sees, row after row; a pair that is not in its query's window has weight zero. */
typedef struct {
    Range all, own[MOST];   /* offsets that lead to keys: of any, of each */
    int64_t width, count;   /* columns of keys, and keys */
    int64_t begin[MOST];    /* first column of keys that each sees */
} Block;

TOGETHER Block block_of(const int Q, const Problem *p, int64_t y, int64_t x) {
    Block b;
    int64_t left = 0, right = 0;
    EVERY(t, Q) {
        Range r = b.own[t] = from_query(p, y, x + t);
        b.all = t ? joined(b.all, r) : r;
        int64_t first = x + t + r.left;
        if (!t) left = first;
        b.begin[t] = first - left;
        right = first + r.right - r.left;
    }
    b.width = right - left;
    b.count = (b.all.bottom - b.all.top) * b.width;
    return b;
}

/* Sums over the pairs of weights: by row offset, then by column offset; zero for what a query has not. */
TOGETHER void marginals(const int Q, const Problem *p, const Block *b, const vec *w, int64_t far_w,
                        vec *restrict result) {
    EVERY(t, Q) {
        Range r = b->own[t];
        vec *out = result + t * (p->rows + p->columns), *columns = out + p->rows;
        for (int64_t s = b->all.left; s < b->all.right; s++) columns[s] = (vec){};
        for (int64_t o = r.top; o < r.bottom; o++) {
            const vec *from = w + t * far_w + (o - r.top) * b->width + b->begin[t] - r.left;
            vec sum = {};
            for (int64_t s = r.left; s < r.right; s++) {
                sum += from[s];
                columns[s] += from[s];
            }
            out[o] = sum;
        }
    }
}

/* ---------------------------------------------------------------- a unit of work */

enum { ATTEND, ATTEND_BACK, OBSERVE, OBSERVE_BACK };

typedef struct {
    const Problem *p;
    int task;
    int64_t first, lanes;           /* map of lane 0; lanes in use: the last unit may be short */
    int64_t image[64], head[64], inner[64]; /* of each lane's map */
    int64_t start[64];                      /* where it begins, in the tensor at hand */
    int64_t strip, ring;            /* rows that are copied at once; rows of keys that are held */
    int64_t offsets;                /* rows + columns */
    int64_t together, pairs;        /* queries that are worked on at once; keys that these may see */
    int64_t query_size, value_size; /* of the tables */
    vec a, b, c, da, db, dc;
    vec moments[6], line[6];                                /* the sums are long: summed by strip first */
    vec *q, *dq, *content, *placed, *softmax;               /* of the strip */
    vec *k, *v, *key_logits, *dk, *dv, *dkey_logits;        /* of the ring */
    vec *products, *weights, *dweights, *by_offset, *other, *scaled; /* of the queries at hand */
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
    u->together = p->columns >= p->width ? MOST : 2; /* windows that differ waste what they do not share */
    u->pairs = (p->rows < p->height ? p->rows : p->height) *
               (p->columns + MOST - 1 < p->width ? p->columns + MOST - 1 : p->width);
    int64_t strip = u->strip * p->width, ring = u->ring * p->width;
    int64_t size = strip * (2 * p->qk + 2 * p->v + 2) + ring * 2 * (p->qk + p->v + u->offsets) +
                   MOST * (3 * u->pairs + 2 * u->offsets + p->qk) + u->pairs + 2 * u->query_size + u->value_size;
    u->next = u->memory = aligned_alloc(64, (size * sizeof(vec) + 63) / 64 * 64);
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
    u->products = reserve(u, MOST * u->pairs);
    u->weights = reserve(u, MOST * u->pairs);
    u->dweights = reserve(u, MOST * u->pairs);
    u->key = (int32_t *)reserve(u, u->pairs);
    u->by_offset = reserve(u, MOST * u->offsets);
    u->other = reserve(u, MOST * u->offsets);
    u->scaled = reserve(u, MOST * p->qk);
    u->dquery_table = reserve(u, u->query_size);
    u->dkey_table = reserve(u, u->query_size);
    u->dvalue_table = reserve(u, u->value_size);
    return 0;
}

static void locate(Unit *u, const Maps *m) {
    for (int64_t l = 0; l < u->lanes; l++)
        u->start[l] = u->image[l] * m->batch + u->head[l] * m->head + u->inner[l] * u->p->inner_stride;
}

/* How many lanes from `first` on lie side by side. */
static int64_t side_by_side(const Unit *u, int64_t first) {
    int64_t l = first + 1;
    while (l < u->lanes && u->start[l] == u->start[first] + l - first) l++;
    return l - first;
}

/* Whether lanes by positions can be copied a square of them at a time. The last square reaches back over the one before
   where it would not be whole. */
static int in_squares(const Unit *u, int64_t count) {
    return u->lanes == LANES && u->p->step == 1 && count >= LANES;
}

static int64_t next_square(int64_t i, int64_t count) {
    int64_t next = i + LANES;
    return next < count && next + LANES > count ? count - LANES : next;
}

/* Rows from first to before last in: (position, channel) vectors. */
static void load(Unit *u, const Maps *m, int64_t channels, int64_t first, int64_t last, vec *restrict out) {
    const Problem *p = u->p;
    int64_t begin = first * p->width, count = (last - first) * p->width;
    locate(u, m);
    int64_t run = side_by_side(u, 0), rest = run < u->lanes ? side_by_side(u, run) : 0;
    if (run + rest == LANES) {
        /* Of two runs the second lies behind the first: what is read beyond them is still in the tensor. */
        const REAL *from = m->data + u->start[0] + begin * p->step;
        int64_t away = rest ? u->start[run] - run - u->start[0] : 0;
        Places behind;
        for (int64_t l = 0; l < LANES; l++) behind[l] = l < run ? 0 : -1;
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; c < channels; c++) {
                const REAL *place = from + c * p->plane + i * p->step;
                Places one, other;
                memcpy(&one, place, sizeof(vec));
                memcpy(&other, place + away, sizeof(vec));
                one = (one & ~behind) | (other & behind);
                memcpy(out + i * channels + c, &one, sizeof(vec));
            }
        return;
    }
    if (u->lanes < LANES) memset(out, 0, count * channels * sizeof(vec));
    if (in_squares(u, count)) {
        for (int64_t i = 0; i < count; i = next_square(i, count))
            for (int64_t c = 0; c < channels; c++) {
                vec x[LANES];
                for (int64_t l = 0; l < LANES; l++)
                    memcpy(x + l, m->data + u->start[l] + c * p->plane + begin + i, sizeof(vec));
                transpose(x);
                for (int64_t j = 0; j < LANES; j++) out[(i + j) * channels + c] = x[j];
            }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t l = 0; l < u->lanes; l++) {
            const REAL *from = m->data + u->start[l] + c * p->plane + begin * p->step;
            for (int64_t i = 0; i < count; i++) out[i * channels + c][l] = from[i * p->step];
        }
}

/* The inverse of load. */
static void store(Unit *u, const Maps *m, int64_t channels, int64_t first, int64_t last, const vec *restrict in) {
    const Problem *p = u->p;
    int64_t begin = first * p->width, count = (last - first) * p->width;
    locate(u, m);
    if (side_by_side(u, 0) == LANES) {
        REAL *to = m->data + u->start[0] + begin * p->step;
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; c < channels; c++)
                memcpy(to + c * p->plane + i * p->step, in + i * channels + c, sizeof(vec));
        return;
    }
    if (in_squares(u, count)) {
        for (int64_t i = 0; i < count; i = next_square(i, count))
            for (int64_t c = 0; c < channels; c++) {
                vec x[LANES];
                for (int64_t j = 0; j < LANES; j++) x[j] = in[(i + j) * channels + c];
                transpose(x);
                for (int64_t l = 0; l < LANES; l++)
                    memcpy(m->data + u->start[l] + c * p->plane + begin + i, x + l, sizeof(vec));
            }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t l = 0; l < u->lanes; l++) {
            REAL *to = m->data + u->start[l] + c * p->plane + begin * p->step;
            for (int64_t i = 0; i < count; i++) to[i * p->step] = in[i * channels + c][l];
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

TOGETHER Block open_block(const int Q, Unit *u, int64_t y, int64_t x) {
    const Problem *p = u->p;
    Block b = block_of(Q, p, y, x);
    int32_t *key = u->key;
    for (int64_t o = b.all.top; o < b.all.bottom; o++) {
        int64_t row = slot(u, y + o - p->rows / 2, x - p->columns / 2 + b.own[0].left);
        for (int64_t i = 0; i < b.width; i++) *key++ = (int32_t)(row + i);
    }
    return b;
}

/* From products q.k, and each query's products with its positions in by_offset. A window of one row has no row offsets
   to speak of. */
TOGETHER void whole_logits(const int Q, const Unit *u, const Block *b, vec *restrict out) {
    const Problem *p = u->p;
    EVERY(t, Q) {
        Range r = b->own[t];
        const vec *by_offset = u->by_offset + t * u->offsets;
        int64_t begin = t * u->pairs + b->begin[t];
        for (int64_t o = r.top; o < r.bottom; o++, begin += b->width) {
            vec row = p->rows > 1 ? by_offset[o] : (vec){};
            const int32_t *key = u->key + begin - t * u->pairs;
            for (int64_t s = r.left; s < r.right; s++) {
                int64_t n = begin + s - r.left;
                vec position = u->b * (row + by_offset[p->rows + s]);
                if (p->sensitive) {
                    const vec *logits = u->key_logits + key[s - r.left] * u->offsets;
                    position += u->c * (p->rows > 1 ? logits[o] + logits[p->rows + s] : logits[p->rows + s]);
                }
                out[n] = u->a * u->products[n] + position;
            }
        }
    }
}

/* Runs BODY for every pair of query t in its window; n counts among all pairs of the block. */
#define PAIRS(t, BODY)                                                                                     \
    for (int64_t o = b.own[t].top, n = t * u->pairs + b.begin[t]; o < b.own[t].bottom; o++, n += b.width - many) \
        for (int64_t end = n + many; n < end; n++) BODY

/* ---------------------------------------------------------------- queries; i counts within the strip */

TOGETHER void attend(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Block b = open_block(Q, u, y, x);
    const vec *q = u->q + i * p->qk;
    vec *content = u->content + i * p->v, *placed = u->placed + i * p->v, *weights = u->weights;
    dots(Q, q, u->k, u->key, b.count, p->qk, u->pairs, u->products);
    along(Q, p, b.all, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    EVERY(t, Q) if (Q > 1) memset(weights + t * u->pairs, 0, b.count * sizeof(vec));
    whole_logits(Q, u, &b, weights);
    EVERY(t, Q) {
        int64_t many = b.own[t].right - b.own[t].left;
        vec largest = weights[t * u->pairs + b.begin[t]], sum = {};
        PAIRS(t, largest = larger(largest, weights[n]);)
        PAIRS(t, sum += weights[n] = exponential(weights[n] - largest);)
        vec inverse = 1 / sum;
        PAIRS(t, weights[n] *= inverse;)
        u->softmax[2 * (i + t)] = largest;
        u->softmax[2 * (i + t) + 1] = inverse;
    }
    memset(content, 0, Q * p->v * sizeof(vec));
    gather(Q, weights, u->v, u->key, b.count, p->v, u->pairs, content);
    if (!p->sensitive) return;
    memset(placed, 0, Q * p->v * sizeof(vec));
    marginals(Q, p, &b, weights, u->pairs, u->by_offset);
    across(Q, p, b.all, u->by_offset, p->v, p->v_rows, p->value_table, splat(1), placed);
}

TOGETHER void attend_back(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Block b = open_block(Q, u, y, x);
    const vec *q = u->q + i * p->qk, *dcontent = u->content + i * p->v, *dplaced = u->placed + i * p->v;
    vec *dq = u->dq + i * p->qk, *weights = u->weights, *dweights = u->dweights, *dlogits = u->dweights;
    vec *summed = u->other;
    dots(Q, q, u->k, u->key, b.count, p->qk, u->pairs, u->products);
    along(Q, p, b.all, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    EVERY(t, Q) if (Q > 1) memset(weights + t * u->pairs, 0, b.count * sizeof(vec));
    whole_logits(Q, u, &b, weights);
    EVERY(t, Q) {
        int64_t many = b.own[t].right - b.own[t].left;
        vec largest = u->softmax[2 * (i + t)], inverse = u->softmax[2 * (i + t) + 1];
        PAIRS(t, weights[n] = inverse * exponential(weights[n] - largest);)
    }

    dots(Q, dcontent, u->v, u->key, b.count, p->v, u->pairs, dweights);
    if (p->sensitive) {
        along(Q, p, b.all, dplaced, p->v, p->v_rows, p->value_table, summed);
        EVERY(t, Q) {
            int64_t many = b.own[t].right - b.own[t].left;
            const vec *rows = summed + t * u->offsets, *columns = rows + p->rows + b.own[t].left;
            PAIRS(t, dweights[n] += (p->rows > 1 ? rows[o] + columns[many - (end - n)] : columns[many - (end - n)]);)
        }
        marginals(Q, p, &b, weights, u->pairs, summed);
        outer(Q, p, b.all, dplaced, summed, p->v, p->v_rows, splat(1), u->dvalue_table);
    }
    /* Where a query does not see a key its weight is zero, and so all that follows from it. */
    EVERY(t, Q) {
        vec *w = weights + t * u->pairs, *g = dweights + t * u->pairs, *products = u->products + t * u->pairs, dot = {};
        for (int64_t n = 0; n < b.count; n++) dot += w[n] * g[n];
        for (int64_t n = 0; n < b.count; n++) {
            g[n] = w[n] * (g[n] - dot);
            u->da += g[n] * products[n];
        }
    }

    memset(dq, 0, Q * p->qk * sizeof(vec));
    gather(Q, dlogits, u->k, u->key, b.count, p->qk, u->pairs, dq);
    for (int64_t c = 0; c < Q * p->qk; c++) {
        dq[c] *= u->a;
        u->scaled[c] = u->a * q[c];
    }
    scatter(Q, dlogits, u->scaled, u->dk, u->key, b.count, p->qk, u->pairs);
    scatter(Q, weights, dcontent, u->dv, u->key, b.count, p->v, u->pairs);
    marginals(Q, p, &b, dlogits, u->pairs, summed);
    EVERY(t, Q) {
        const vec *g = summed + t * u->offsets, *logits = u->by_offset + t * u->offsets;
        Range r = b.own[t];
        for (int64_t o = r.top; o < r.bottom; o++) u->db += g[o] * logits[o];
        for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) u->db += g[s] * logits[s];
    }
    across(Q, p, b.all, summed, p->qk, p->qk_rows, p->query_table, u->b, dq);
    outer(Q, p, b.all, q, summed, p->qk, p->qk_rows, u->b, u->dquery_table);
    if (!p->sensitive) return;
    EVERY(t, Q) {
        int64_t many = b.own[t].right - b.own[t].left;
        PAIRS(t, {
            vec *key = u->dkey_logits + u->key[n - t * u->pairs] * u->offsets;
            if (p->rows > 1) key[o] += dlogits[n];
            key[p->rows + b.own[t].right - (end - n)] += dlogits[n];
        })
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

TOGETHER void observe(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Block b = open_block(Q, u, y, x);
    const vec *q = u->q + i * p->qk;
    dots(Q, q, u->k, u->key, b.count, p->qk, u->pairs, u->products);
    along(Q, p, b.all, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    EVERY(t, Q) {
        int64_t many = b.own[t].right - b.own[t].left;
        vec sum = {}, square = {};
        PAIRS(t, {
            sum += u->products[n];
            square += u->products[n] * u->products[n];
        })
        u->line[0] += sum;
        u->line[1] += square;
        add_moments(p, b.own[t], u->by_offset + t * u->offsets, u->line + 2, u->line + 3);
    }
}

TOGETHER void observe_back(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Block b = open_block(Q, u, y, x);
    const vec *q = u->q + i * p->qk;
    vec *dq = u->dq + i * p->qk;
    dots(Q, q, u->k, u->key, b.count, p->qk, u->pairs, u->products);
    EVERY(t, Q) if (Q > 1) memset(u->weights + t * u->pairs, 0, b.count * sizeof(vec));
    EVERY(t, Q) {
        int64_t many = b.own[t].right - b.own[t].left;
        PAIRS(t, u->weights[n] = u->moments[0] + 2 * u->moments[1] * u->products[n];)
    }
    memset(dq, 0, Q * p->qk * sizeof(vec));
    gather(Q, u->weights, u->k, u->key, b.count, p->qk, u->pairs, dq);
    scatter(Q, u->weights, q, u->dk, u->key, b.count, p->qk, u->pairs);
    along(Q, p, b.all, q, p->qk, p->qk_rows, p->query_table, u->by_offset);
    memset(u->other, 0, Q * u->offsets * sizeof(vec));
    EVERY(t, Q) {
        vec *by_offset = u->by_offset + t * u->offsets, *g = u->other + t * u->offsets;
        add_moments_back(p, b.own[t], by_offset, u->moments[2], u->moments[3], g);
    }
    across(Q, p, b.all, u->other, p->qk, p->qk_rows, p->query_table, splat(1), dq);
    outer(Q, p, b.all, q, u->other, p->qk, p->qk_rows, splat(1), u->dquery_table);
}

TOGETHER void queries(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    if (u->task == ATTEND) attend(Q, u, y, x, i);
    if (u->task == ATTEND_BACK) attend_back(Q, u, y, x, i);
    if (u->task == OBSERVE) observe(Q, u, y, x, i);
    if (u->task == OBSERVE_BACK) observe_back(Q, u, y, x, i);
}

/* ---------------------------------------------------------------- keys, from place i of the ring on */

/* What keys say to the positions of their queries. */
TOGETHER void say(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Range all = to_key(p, y, x);
    EVERY(t, Q) all = joined(all, to_key(p, y, x + t));
    vec *logits = u->key_logits + i * u->offsets;
    along(Q, p, all, u->k + i * p->qk, p->qk, p->qk_rows, p->key_table, logits);
    EVERY(t, Q) if (u->task == OBSERVE)
        add_moments(p, to_key(p, y, x + t), logits + t * u->offsets, u->line + 4, u->line + 5);
}

TOGETHER void say_back(const int Q, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->p;
    Range all = to_key(p, y, x);
    vec *k = u->k + i * p->qk, *g = u->dkey_logits + i * u->offsets;
    EVERY(t, Q) {
        Range r = to_key(p, y, x + t);
        const vec *logits = u->key_logits + (i + t) * u->offsets;
        vec *own = g + t * u->offsets;
        all = joined(all, r);
        if (u->task == OBSERVE_BACK)
            add_moments_back(p, r, logits, u->moments[4], u->moments[5], own);
        else {
            for (int64_t o = r.top; o < r.bottom; o++) u->dc += own[o] * logits[o];
            for (int64_t s = p->rows + r.left; s < p->rows + r.right; s++) u->dc += own[s] * logits[s];
        }
    }
    across(Q, p, all, g, p->qk, p->qk_rows, p->key_table, u->c, u->dk + i * p->qk);
    outer(Q, p, all, k, g, p->qk, p->qk_rows, u->c, u->dkey_table);
}

/* FUNCTION on all of a row, as many at once as may be; place is where the first is. */
#define ROW(FUNCTION, most, y, place)                                       \
    for (int64_t x = 0, left = p->width; left; x = p->width - left)         \
        if (left >= 4 && (most) >= 4) {                                     \
            FUNCTION(4, u, y, x, (place) + x);                              \
            left -= 4;                                                      \
        } else if (left >= 2) {                                             \
            FUNCTION(2, u, y, x, (place) + x);                              \
            left -= 2;                                                      \
        } else {                                                            \
            FUNCTION(1, u, y, x, (place) + x);                              \
            left -= 1;                                                      \
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
    for (int64_t y = first; y < last && p->sensitive; y++) ROW(say, MOST, y, slot(u, y, 0))
}

/* Rows of keys have been seen by all their queries. */
static void leave_keys(Unit *u, int64_t first, int64_t last) {
    const Problem *p = u->p;
    if (u->task == ATTEND || u->task == OBSERVE) return;
    int64_t begin = slot(u, first, 0);
    for (int64_t y = first; y < last && p->sensitive; y++) ROW(say_back, MOST, y, slot(u, y, 0))
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
        for (int64_t y = top; y < bottom; y++) ROW(queries, u->together, y, (y - top) * p->width)
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
    for (int64_t l = 0; l < u->lanes; l++) {
        int64_t map = u->first + l;
        u->inner[l] = map % p->inner;
        u->head[l] = map / p->inner % p->heads;
        u->image[l] = map / p->inner / p->heads;
    }
    u->a = u->b = u->c = splat(1);
    u->da = u->db = u->dc = (vec){};
    memset(u->moments, 0, sizeof u->moments);
    for (int64_t l = 0; l < u->lanes && p->scale; l++) {
        const REAL *scale = p->scale + u->head[l] * 3;
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

#ifdef _OPENMP
/* All groups, on so many threads. */
int run_all(const Problem *p, int64_t task, int64_t threads) {
    int failed = 0;
#pragma omp parallel num_threads((int)threads) reduction(| : failed)
    {
        int64_t own = omp_get_thread_num(), all = omp_get_num_threads();
        failed |= run_groups(p, task, p->groups * own / all, p->groups * (own + 1) / all);
    }
    return failed;
}
#endif
