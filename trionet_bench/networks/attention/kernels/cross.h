/* Attention of every position of a map over its row and its column, itself once, in one softmax, forward and backward.

     logit(i, j) = q_i.k_j / sqrt(qk_size)        p = softmax of the logits of i, over the keys j in line with it
     content_i = sum_j p_ij v_j

   A unit of work is one vector of maps, copied in whole. Every row and then every column is attended over by itself:
   for each query, rows hand on the largest logit and the sum of exponentials, and columns go on with them. A query and
   the key of its own position are a pair of the row alone. A column is copied out of the map, so that it lies in the
   cache in one piece.

   Backward knows the softmax, and sum_j p_ij dp_ij, over both lines, is content_i.dcontent_i: gradients of rows and
   columns add up. Nothing of the size of all pairs is stored. */

#ifndef CROSS_H
#define CROSS_H

#include <stdlib.h>

#include "maps.h"
#include "products.h"

/* Arrays of (position, channel) vectors: those of forward, then the others of backward, where CONTENT is its gradient
   and DOT content.dcontent. SOFTMAX is the largest logit, and the sum of exponentials or, in the end, 1 over it. */
enum { Q, K, V, CONTENT, SOFTMAX, FORWARD, DOT = FORWARD, DQ, DK, DV, BACKWARD };

/* A row or a column. */
typedef struct {
    int64_t length;
    vec *of[BACKWARD];
} Line;

typedef struct {
    const Problem *problem;
    int backward;
    Lanes lanes;
    vec scale;
    int64_t arrays, inputs;      /* in use; as many of them are copied from tensors */
    int64_t first_result;        /* those from here on are copied to tensors */
    int64_t size[BACKWARD];      /* channels */
    const Maps *tensor[BACKWARD];
    vec *map[BACKWARD];
    Line column;                 /* a copy of the column at hand */
    int64_t strip_rows;          /* that are copied at once */
    int64_t longest;             /* the length of a row or a column */
    vec *weights, *dweights;     /* of the queries at hand: (query, key) */
    int32_t *slots;              /* of the keys of a line, one after the other */
    vec *memory;
} Cross;

/* 1 where memory ran out. */
static int open_cross(Cross *c, const Problem *p, int task) {
    *c = (Cross){.problem = p, .backward = task == CROSS_BACKWARD, .scale = splat((REAL)(1 / sqrt(p->qk_size)))};
    int64_t qk = p->qk_size, v = p->v_size;
    const int64_t size[BACKWARD] = {qk, qk, v, v, 2, 1, qk, qk, v};
    const Maps *tensor[BACKWARD] = {&p->q, &p->k, &p->v, &p->content, &p->softmax, NULL, &p->dq, &p->dk, &p->dv};
    memcpy(c->size, size, sizeof size);
    memcpy(c->tensor, tensor, sizeof tensor);
    c->arrays = c->backward ? BACKWARD : FORWARD;
    c->inputs = c->backward ? DOT : CONTENT;
    c->first_result = c->backward ? DQ : CONTENT;
    c->strip_rows = (4 * LANES + p->width - 1) / p->width;
    c->longest = larger_of(p->height, p->width);
    c->column.length = p->height;
    int64_t channels = 0, pairs = MOST_QUERIES * c->longest, positions = p->height * p->width;
    for (int64_t a = 0; a < c->arrays; a++) channels += size[a];
    int64_t count = (positions + p->height) * channels + 2 * pairs + c->longest;
    vec *next = c->memory = aligned_alloc(64, (count * sizeof(vec) + 63) / 64 * 64);
    if (!next) return 1;
    for (int64_t a = 0; a < c->arrays; a++) {
        c->map[a] = next;
        c->column.of[a] = next + positions * size[a];
        next += (positions + p->height) * size[a];
    }
    c->weights = next;
    c->dweights = next + pairs;
    c->slots = (int32_t *)(next + 2 * pairs);
    for (int64_t i = 0; i < c->longest; i++) c->slots[i] = (int32_t)i;
    return 0;
}

/* ---------------------------------------------------------------- neighbouring queries of a line, from query i on */

/* q.k of all pairs. */
INLINED void multiply(const int queries, const Cross *c, const Line *l, int64_t i) {
    dots(queries, l->of[Q] + i * c->size[Q], l->of[K], c->slots, l->length, c->size[K], c->longest, c->weights);
}

/* Products of a query to exponentials of its logits; in a column not with the key of its own position. */
INLINED void to_exponentials(const Cross *c, const Line *l, int64_t itself, vec largest, vec *weights) {
    for (int64_t n = 0; n < l->length; n++) weights[n] = exponential(c->scale * weights[n] - largest);
    if (l == &c->column) weights[itself] = (vec){};
}

/* Goes on with the softmax and the content that another line left. */
INLINED void attend_line(const int queries, const Cross *c, const Line *l, int64_t i) {
    vec *content = l->of[CONTENT] + i * c->size[CONTENT], *softmax = l->of[SOFTMAX] + i * c->size[SOFTMAX];
    multiply(queries, c, l, i);
    for (int t = 0; t < queries; t++) {
        vec *weights = c->weights + t * c->longest, largest = softmax[2 * t];
        for (int64_t n = 0; n < l->length; n++) largest = larger(largest, c->scale * weights[n]);
        vec before = exponential(softmax[2 * t] - largest), sum = before * softmax[2 * t + 1];
        to_exponentials(c, l, i + t, largest, weights);
        for (int64_t n = 0; n < l->length; n++) sum += weights[n];
        for (int64_t v = 0; v < c->size[V]; v++) content[t * c->size[V] + v] *= before;
        softmax[2 * t] = largest;
        softmax[2 * t + 1] = sum;
    }
    gather(queries, c->weights, l->of[V], c->slots, l->length, c->size[V], c->longest, content);
}

INLINED void attend_line_backward(const int queries, const Cross *c, const Line *l, int64_t i) {
    const vec *q = l->of[Q] + i * c->size[Q], *dcontent = l->of[CONTENT] + i * c->size[CONTENT];
    const vec *softmax = l->of[SOFTMAX] + i * c->size[SOFTMAX], *dot = l->of[DOT] + i;
    multiply(queries, c, l, i);
    dots(queries, dcontent, l->of[V], c->slots, l->length, c->size[V], c->longest, c->dweights);
    for (int t = 0; t < queries; t++) {
        vec *weights = c->weights + t * c->longest, *dproducts = c->dweights + t * c->longest;
        to_exponentials(c, l, i + t, softmax[2 * t], weights);
        for (int64_t n = 0; n < l->length; n++) {
            weights[n] *= softmax[2 * t + 1];
            dproducts[n] = c->scale * weights[n] * (dproducts[n] - dot[t]);
        }
    }
    gather(queries, c->dweights, l->of[K], c->slots, l->length, c->size[K], c->longest, l->of[DQ] + i * c->size[DQ]);
    scatter(queries, c->dweights, q, l->of[DK], c->slots, l->length, c->size[DK], c->longest);
    scatter(queries, c->weights, dcontent, l->of[DV], c->slots, l->length, c->size[DV], c->longest);
}

/* ---------------------------------------------------------------- lines */

INLINED void do_queries(const int queries, const Cross *c, const Line *l, int64_t i) {
    if (c->backward) attend_line_backward(queries, c, l, i);
    else attend_line(queries, c, l, i);
}

static void do_line(const Cross *c, const Line *l) {
    int64_t i = 0;
    for (; i + 4 <= l->length; i += 4) do_queries(4, c, l, i);
    for (; i + 2 <= l->length; i += 2) do_queries(2, c, l, i);
    for (; i < l->length; i++) do_queries(1, c, l, i);
}

/* Copies a column out of the map, and its results back. */
static void do_column(Cross *c, int64_t x) {
    int64_t height = c->problem->height, width = c->problem->width;
    for (int64_t a = 0; a < c->arrays; a++)
        for (int64_t y = 0, size = c->size[a]; y < height; y++)
            memcpy(c->column.of[a] + y * size, c->map[a] + (y * width + x) * size, size * sizeof(vec));
    do_line(c, &c->column);
    for (int64_t a = c->first_result; a < c->arrays; a++)
        for (int64_t y = 0, size = c->size[a]; y < height; y++)
            memcpy(c->map[a] + (y * width + x) * size, c->column.of[a] + y * size, size * sizeof(vec));
}

/* Copies rows from first to before last out of the tensors, and attends over each of them. */
static void enter_rows(Cross *c, int64_t first, int64_t last) {
    const Problem *p = c->problem;
    int64_t begin = first * p->width, end = last * p->width, size = p->v_size;
    vec *of[BACKWARD];
    for (int64_t a = 0; a < c->arrays; a++) of[a] = c->map[a] + begin * c->size[a];
    for (int64_t a = 0; a < c->inputs; a++) load(&c->lanes, c->tensor[a], c->size[a], first, last, of[a]);
    if (c->backward) {
        load(&c->lanes, &p->attended, size, first, last, of[DV]); /* until gradients are added there */
        for (int64_t i = 0; i < end - begin; i++) {
            of[DOT][i] = (vec){};
            for (int64_t v = i * size; v < (i + 1) * size; v++) of[DOT][i] += of[DV][v] * of[CONTENT][v];
        }
    }
    for (int64_t a = c->first_result; a < c->arrays; a++) memset(of[a], 0, (end - begin) * c->size[a] * sizeof(vec));
    for (int64_t i = 0; i < end - begin && !c->backward; i++) of[SOFTMAX][2 * i] = splat(-INFINITY);
    for (int64_t y = first; y < last; y++) {
        Line row = {.length = p->width};
        for (int64_t a = 0; a < c->arrays; a++) row.of[a] = c->map[a] + y * p->width * c->size[a];
        do_line(c, &row);
    }
}

/* Copies the results of rows into the tensors. */
static void leave_rows(Cross *c, int64_t first, int64_t last) {
    const Problem *p = c->problem;
    int64_t begin = first * p->width, end = last * p->width;
    for (int64_t i = begin; i < end && !c->backward; i++) {
        vec inverse = c->map[SOFTMAX][2 * i + 1] = 1 / c->map[SOFTMAX][2 * i + 1];
        for (int64_t v = i * p->v_size; v < (i + 1) * p->v_size; v++) c->map[CONTENT][v] *= inverse;
    }
    for (int64_t a = c->first_result; a < c->arrays; a++)
        store(&c->lanes, c->tensor[a], c->size[a], first, last, c->map[a] + begin * c->size[a]);
}

/* The groups from first to before last; 1 where memory ran out. */
static int run_crosses(const Problem *p, int task, int64_t first, int64_t last) {
    Cross opened, *c = &opened;
    if (open_cross(c, p, task)) return 1;
    for (int64_t i = first_of_group(p, first); i < first_of_group(p, last); i++) {
        open_lanes(&c->lanes, p, i);
        for (int64_t y = 0; y < p->height; y += c->strip_rows)
            enter_rows(c, y, smaller_of(y + c->strip_rows, p->height));
        for (int64_t x = 0; x < p->width; x++) do_column(c, x);
        for (int64_t y = 0; y < p->height; y += c->strip_rows)
            leave_rows(c, y, smaller_of(y + c->strip_rows, p->height));
    }
    free(c->memory);
    return 0;
}

#endif
