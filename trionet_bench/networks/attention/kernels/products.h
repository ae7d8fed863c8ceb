/* Products of up to four queries with a list of keys: what one query reads serves all.

   `queries` and the counts of keys or channels at once are constants in every call, so that the loops over them are
   unrolled and their sums stay in registers: eight sums at a time. Vectors of query t begin t * size after those of the
   first, its pairs t * stride; pair i is with the key in slot slots[i] of `base`. */

#ifndef PRODUCTS_H
#define PRODUCTS_H

#include "vectors.h"

#define MOST_QUERIES 4
#define MOST_AT_ONCE 8

/* From pair i on, `keys` at once as long as there are so many; returns the first pair that is left. */
INLINED int64_t dot_keys(const int queries, const int keys, int64_t i, const vec *restrict x, const vec *restrict base,
                         const int32_t *slots, int64_t count, int64_t size, int64_t stride, vec *restrict out) {
    for (; i + keys <= count; i += keys) {
        const vec *key[MOST_AT_ONCE];
        vec sum[MOST_QUERIES][MOST_AT_ONCE];
        for (int j = 0; j < keys; j++) key[j] = base + slots[i + j] * size;
        for (int t = 0; t < queries; t++)
            for (int j = 0; j < keys; j++) sum[t][j] = (vec){};
        for (int64_t c = 0; c < size; c++)
            for (int t = 0; t < queries; t++)
                for (int j = 0; j < keys; j++) sum[t][j] += x[t * size + c] * key[j][c];
        for (int t = 0; t < queries; t++)
            for (int j = 0; j < keys; j++) out[t * stride + i + j] = sum[t][j];
    }
    return i;
}

INLINED void dots_for(const int queries, const vec *restrict x, const vec *restrict base, const int32_t *slots,
                      int64_t count, int64_t size, int64_t stride, vec *restrict out) {
    int64_t i = 0;
    if (queries == 4) i = dot_keys(queries, 2, i, x, base, slots, count, size, stride, out);
    if (queries < 4) i = dot_keys(queries, 4, i, x, base, slots, count, size, stride, out);
    dot_keys(queries, 1, i, x, base, slots, count, size, stride, out);
}

/* out[t][i] = x[t] . key i */
static void dots(int queries, const vec *restrict x, const vec *restrict base, const int32_t *slots, int64_t count,
                 int64_t size, int64_t stride, vec *restrict out) {
    if (queries == 4) dots_for(4, x, base, slots, count, size, stride, out);
    if (queries == 2) dots_for(2, x, base, slots, count, size, stride, out);
    if (queries == 1) dots_for(1, x, base, slots, count, size, stride, out);
}

/* From channel c on, `channels` at once as long as there are so many; returns the first channel that is left. */
INLINED int64_t gather_channels(const int queries, const int channels, int64_t c, const vec *restrict weights,
                                const vec *restrict base, const int32_t *slots, int64_t count, int64_t size,
                                int64_t stride, vec *restrict out) {
    for (; c + channels <= size; c += channels) {
        vec sum[MOST_QUERIES][MOST_AT_ONCE];
        for (int t = 0; t < queries; t++)
            for (int j = 0; j < channels; j++) sum[t][j] = out[t * size + c + j];
        for (int64_t i = 0; i < count; i++) {
            const vec *key = base + slots[i] * size + c;
            for (int t = 0; t < queries; t++)
                for (int j = 0; j < channels; j++) sum[t][j] += weights[t * stride + i] * key[j];
        }
        for (int t = 0; t < queries; t++)
            for (int j = 0; j < channels; j++) out[t * size + c + j] = sum[t][j];
    }
    return c;
}

INLINED void gather_for(const int queries, const vec *restrict weights, const vec *restrict base, const int32_t *slots,
                        int64_t count, int64_t size, int64_t stride, vec *restrict out) {
    int64_t c = 0;
    if (queries == 1) c = gather_channels(queries, 8, c, weights, base, slots, count, size, stride, out);
    if (queries < 4) c = gather_channels(queries, 4, c, weights, base, slots, count, size, stride, out);
    c = gather_channels(queries, 2, c, weights, base, slots, count, size, stride, out);
    gather_channels(queries, 1, c, weights, base, slots, count, size, stride, out);
}

/* out[t] += sum over i of weights[t][i] key i */
static void gather(int queries, const vec *restrict weights, const vec *restrict base, const int32_t *slots,
                   int64_t count, int64_t size, int64_t stride, vec *restrict out) {
    if (queries == 4) gather_for(4, weights, base, slots, count, size, stride, out);
    if (queries == 2) gather_for(2, weights, base, slots, count, size, stride, out);
    if (queries == 1) gather_for(1, weights, base, slots, count, size, stride, out);
}

INLINED int64_t scatter_channels(const int queries, const int channels, int64_t c, const vec *restrict weights,
                                 const vec *restrict x, vec *restrict base, const int32_t *slots, int64_t count,
                                 int64_t size, int64_t stride) {
    for (; c + channels <= size; c += channels) {
        vec part[MOST_QUERIES][MOST_AT_ONCE];
        for (int t = 0; t < queries; t++)
            for (int j = 0; j < channels; j++) part[t][j] = x[t * size + c + j];
        for (int64_t i = 0; i < count; i++) {
            vec *key = base + slots[i] * size + c;
            for (int t = 0; t < queries; t++)
                for (int j = 0; j < channels; j++) key[j] += weights[t * stride + i] * part[t][j];
        }
    }
    return c;
}

INLINED void scatter_for(const int queries, const vec *restrict weights, const vec *restrict x, vec *restrict base,
                         const int32_t *slots, int64_t count, int64_t size, int64_t stride) {
    int64_t c = 0;
    if (queries == 1) c = scatter_channels(queries, 8, c, weights, x, base, slots, count, size, stride);
    if (queries < 4) c = scatter_channels(queries, 4, c, weights, x, base, slots, count, size, stride);
    c = scatter_channels(queries, 2, c, weights, x, base, slots, count, size, stride);
    scatter_channels(queries, 1, c, weights, x, base, slots, count, size, stride);
}

/* The adjoint of gather: key i += sum over t of weights[t][i] x[t] */
static void scatter(int queries, const vec *restrict weights, const vec *restrict x, vec *restrict base,
                    const int32_t *slots, int64_t count, int64_t size, int64_t stride) {
    if (queries == 4) scatter_for(4, weights, x, base, slots, count, size, stride);
    if (queries == 2) scatter_for(2, weights, x, base, slots, count, size, stride);
    if (queries == 1) scatter_for(1, weights, x, base, slots, count, size, stride);
}

#endif
