/* What Python hands over: the same fields in the same order as in problem.py, which compares the sizes. */

#ifndef PROBLEM_H
#define PROBLEM_H

#include "vectors.h"

enum { ATTEND, ATTEND_BACKWARD, OBSERVE, OBSERVE_BACKWARD, CROSS, CROSS_BACKWARD }; /* cross.h has the last two */

/* Channels of a tensor (images, heads x channels, height, width), from the first of head 0 on. */
typedef struct {
    REAL *data;
    int64_t image_stride, head_stride; /* in elements */
} Maps;

typedef struct {
    int64_t images, heads, lines, line_stride; /* a map for each; lines is 1 unless each row or column is a map */
    int64_t height, width, position_stride;    /* of a map; positions lie this far apart, row after row */
    int64_t channel_stride;
    int64_t window_rows, window_columns;       /* odd */
    int64_t qk_size, qk_row_size;              /* dimensions, and how many of them depend on the row offset */
    int64_t v_size, v_row_size;
    int64_t position_sensitive;                /* whether the scale, key and value tables are there */
    int64_t groups;                            /* parts of the work, each of which is done by one thread */
    Maps q, k, v, content, positional, dq, dk, dv; /* in backward, content and positional are their gradients */
    Maps softmax;       /* two channels: the largest logit m, and 1 over the sum of exp(logit - m) */
    Maps attended;      /* the content of CROSS, in its backward */
    const REAL *query_table, *key_table, *value_table; /* (row size, window_rows), then (the rest, window_columns) */
    const REAL *scale;  /* (heads, 3): of q.k, q.r and k.r */
    REAL *moments;      /* (maps, 6): sum and sum of squares of each unscaled term; their gradients in backward */
    REAL *dscale;       /* (maps, 3) */
    REAL *dtables;      /* (groups, query, key, value table) */
} Problem;

static inline int64_t table_size(const Problem *p, int64_t size, int64_t row_size) {
    return row_size * p->window_rows + (size - row_size) * p->window_columns;
}

static inline int64_t smaller_of(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
