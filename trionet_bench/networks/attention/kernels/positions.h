/* Products with position vectors, by row offset and by column offset.

   Of a position vector the first dimensions depend on the row offset, the others on the column offset. What belongs to
   an offset is stored by offset: window_rows values, then window_columns values. A table is (dimensions, offsets).
   Functions on one axis take its part of a vector, of a table and of the values; vectors of query t (or key t) begin
   t * size after the first, values by offset t * stride. */

#ifndef POSITIONS_H
#define POSITIONS_H

#include "problem.h"
#include "products.h"

typedef struct {
    int64_t top, bottom, left, right; /* row offsets in [top, bottom), column offsets in [left, right) */
} Offsets;

/* Offsets that lead from a query to keys on the map. */
static inline Offsets offsets_from_query(const Problem *p, int64_t y, int64_t x) {
    int64_t up = p->window_rows / 2, side = p->window_columns / 2;
    return (Offsets){
        larger_of(up - y, 0),
        smaller_of(p->height + up - y, p->window_rows),
        larger_of(side - x, 0),
        smaller_of(p->width + side - x, p->window_columns),
    };
}

/* Offsets that lead to a key from queries on the map. */
static inline Offsets offsets_to_key(const Problem *p, int64_t y, int64_t x) {
    Offsets back = offsets_from_query(p, y, x);
    return (Offsets){
        p->window_rows - back.bottom,
        p->window_rows - back.top,
        p->window_columns - back.right,
        p->window_columns - back.left,
    };
}

/* The smallest range that holds both. */
static inline Offsets joined(Offsets a, Offsets b) {
    return (Offsets){
        smaller_of(a.top, b.top),
        larger_of(a.bottom, b.bottom),
        smaller_of(a.left, b.left),
        larger_of(a.right, b.right),
    };
}

/* ---------------------------------------------------------------- dot products with position vectors */

INLINED int64_t dot_offsets(const int count, const int at_once, int64_t o, const vec *x, int64_t size, int64_t depth,
                            const REAL *table, int64_t width, int64_t last, int64_t stride, vec *restrict out) {
    for (; o + at_once <= last; o += at_once) {
        vec sum[MOST_QUERIES][MOST_AT_ONCE];
        for (int t = 0; t < count; t++)
            for (int j = 0; j < at_once; j++) sum[t][j] = (vec){};
        for (int64_t c = 0; c < depth; c++) {
            const REAL *row = table + c * width + o;
            for (int t = 0; t < count; t++)
                for (int j = 0; j < at_once; j++) sum[t][j] += x[t * size + c] * row[j];
        }
        for (int t = 0; t < count; t++)
            for (int j = 0; j < at_once; j++) out[t * stride + o + j] = sum[t][j];
    }
    return o;
}

/* One axis: `depth` dimensions and a table `width` offsets wide, offsets from first to before last. */
INLINED void dot_axis(const int count, const vec *x, int64_t size, int64_t depth, const REAL *table, int64_t width,
                      int64_t first, int64_t last, int64_t stride, vec *restrict out) {
    int64_t o = first;
    if (count == 4) o = dot_offsets(count, 2, o, x, size, depth, table, width, last, stride, out);
    if (count < 4) o = dot_offsets(count, 4, o, x, size, depth, table, width, last, stride, out);
    dot_offsets(count, 1, o, x, size, depth, table, width, last, stride, out);
}

/* out[t][o] = x[t] . r[o], for the offsets o in r */
INLINED void dot_positions(const int count, const Problem *p, Offsets r, const vec *x, int64_t size, int64_t row_size,
                           const REAL *table, vec *restrict out) {
    int64_t rows = p->window_rows, columns = p->window_columns, stride = rows + columns;
    dot_axis(count, x, size, row_size, table, rows, r.top, r.bottom, stride, out);
    dot_axis(count, x + row_size, size, size - row_size, table + row_size * rows, columns, r.left, r.right, stride,
             out + rows);
}

/* ---------------------------------------------------------------- the adjoint in x: sums of position vectors */

INLINED int64_t add_dims(const int count, const int at_once, int64_t c, const vec *weights, int64_t stride,
                         int64_t depth, const REAL *table, int64_t width, int64_t first, int64_t last, vec scale,
                         int64_t size, vec *restrict out) {
    for (; c + at_once <= depth; c += at_once) {
        vec sum[MOST_QUERIES][MOST_AT_ONCE];
        for (int t = 0; t < count; t++)
            for (int j = 0; j < at_once; j++) sum[t][j] = (vec){};
        for (int64_t o = first; o < last; o++)
            for (int t = 0; t < count; t++)
                for (int j = 0; j < at_once; j++) sum[t][j] += weights[t * stride + o] * table[(c + j) * width + o];
        for (int t = 0; t < count; t++)
            for (int j = 0; j < at_once; j++) out[t * size + c + j] += scale * sum[t][j];
    }
    return c;
}

INLINED void add_axis(const int count, const vec *weights, int64_t stride, int64_t depth, const REAL *table,
                      int64_t width, int64_t first, int64_t last, vec scale, int64_t size, vec *restrict out) {
    int64_t c = 0;
    if (count == 4) c = add_dims(count, 2, c, weights, stride, depth, table, width, first, last, scale, size, out);
    if (count < 4) c = add_dims(count, 4, c, weights, stride, depth, table, width, first, last, scale, size, out);
    add_dims(count, 1, c, weights, stride, depth, table, width, first, last, scale, size, out);
}

/* out[t] += scale sum over the offsets o in r of weights[t][o] r[o] */
INLINED void add_positions(const int count, const Problem *p, Offsets r, const vec *weights, int64_t size,
                           int64_t row_size, const REAL *table, vec scale, vec *restrict out) {
    int64_t rows = p->window_rows, columns = p->window_columns, stride = rows + columns;
    add_axis(count, weights, stride, row_size, table, rows, r.top, r.bottom, scale, size, out);
    add_axis(count, weights + rows, stride, size - row_size, table + row_size * rows, columns, r.left, r.right, scale,
             size, out + row_size);
}

/* ---------------------------------------------------------------- the adjoint in the table */

INLINED int64_t add_outer(const int count, const int at_once, int64_t c, const vec *x, int64_t size, const vec *weights,
                          int64_t stride, int64_t depth, int64_t width, int64_t first, int64_t last, vec scale,
                          vec *restrict dtable) {
    for (; c + at_once <= depth; c += at_once) {
        vec part[MOST_QUERIES][MOST_AT_ONCE];
        for (int t = 0; t < count; t++)
            for (int j = 0; j < at_once; j++) part[t][j] = scale * x[t * size + c + j];
        for (int64_t o = first; o < last; o++)
            for (int t = 0; t < count; t++)
                for (int j = 0; j < at_once; j++) dtable[(c + j) * width + o] += part[t][j] * weights[t * stride + o];
    }
    return c;
}

INLINED void add_axis_gradient(const int count, const vec *x, int64_t size, const vec *weights, int64_t stride,
                               int64_t depth, int64_t width, int64_t first, int64_t last, vec scale,
                               vec *restrict dtable) {
    int64_t c = add_outer(count, 2, 0, x, size, weights, stride, depth, width, first, last, scale, dtable);
    add_outer(count, 1, c, x, size, weights, stride, depth, width, first, last, scale, dtable);
}

/* dtable[:, o] += scale sum over t of x[t] weights[t][o], for the offsets o in r */
INLINED void add_table_gradient(const int count, const Problem *p, Offsets r, const vec *x, const vec *weights,
                                int64_t size, int64_t row_size, vec scale, vec *restrict dtable) {
    int64_t rows = p->window_rows, columns = p->window_columns, stride = rows + columns;
    add_axis_gradient(count, x, size, weights, stride, row_size, rows, r.top, r.bottom, scale, dtable);
    add_axis_gradient(count, x + row_size, size, weights + rows, stride, size - row_size, columns, r.left, r.right,
                      scale, dtable + row_size * rows);
}

/* ---------------------------------------------------------------- moments of q.r or k.r */

/* Sum and sum of squares of row[o] + column[s] over all pairs of offsets in r, added to `sum` and `square`. */
static inline void add_moments(const Problem *p, Offsets r, const vec *by_offset, vec *restrict sum,
                               vec *restrict square) {
    vec row = {}, row_square = {}, column = {}, column_square = {};
    for (int64_t o = r.top; o < r.bottom; o++) {
        row += by_offset[o];
        row_square += by_offset[o] * by_offset[o];
    }
    for (int64_t s = p->window_rows + r.left; s < p->window_rows + r.right; s++) {
        column += by_offset[s];
        column_square += by_offset[s] * by_offset[s];
    }
    vec height = splat(r.bottom - r.top), width = splat(r.right - r.left);
    *sum += row * width + column * height;
    *square += row_square * width + column_square * height + 2 * row * column;
}

/* The adjoint: gradients by offset from those of sum and sum of squares. */
static inline void add_moments_backward(const Problem *p, Offsets r, const vec *by_offset, vec dsum, vec dsquare,
                                        vec *restrict out) {
    int64_t first = p->window_rows + r.left, last = p->window_rows + r.right;
    vec row = {}, column = {}, height = splat(r.bottom - r.top), width = splat(r.right - r.left);
    for (int64_t o = r.top; o < r.bottom; o++) row += by_offset[o];
    for (int64_t s = first; s < last; s++) column += by_offset[s];
    for (int64_t o = r.top; o < r.bottom; o++) out[o] = width * dsum + 2 * dsquare * (width * by_offset[o] + column);
    for (int64_t s = first; s < last; s++) out[s] = height * dsum + 2 * dsquare * (height * by_offset[s] + row);
}

#endif
