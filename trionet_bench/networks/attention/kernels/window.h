/* Attention of every position of a map over a window around it, with relative positions, forward and backward.

     logit(i, j) = a q_i.k_j + b q_i.r_q[j - i] + c k_j.r_k[j - i]      a, b, c: one scale each per head
     p = softmax of the logits of i, over the keys j in its window and on the map
     content_i = sum_j p_ij v_j        positional_i = sum_j p_ij r_v[j - i]

   Position vectors r are separable: their first dimensions depend on the row offset alone, the others on the column
   offset. So the terms with r cost rows + columns of the window, and only q.k and p.v cost its rows x columns pairs.
   One row of a map with a window that reaches from end to end is axial attention.

   Maps are independent, so vector lanes are maps: a unit of work is one vector of maps, copied in so that the values of
   all its maps at one position and channel are one vector. No size of a map leaves a partly filled vector.

   A unit sweeps over its maps from top to bottom in strips of queries, and holds a ring of those keys that the strip
   sees, so that they stay in the cache. Row y of the map lies in row y % ring_rows of the ring. Here a strip has 2
   rows, the window 5 and the ring 12:

       map, height 14                                              ring
     y 0   . . . . . . . .   \  every query has seen these keys:     0   (row 12 comes here)
       1   . . . . . . . .   /  their gradients are stored           1   (row 13 comes here)
       2   k k k k k k k k   \                                       2   k k k k k k k k
       3   k k k k k k k k    |  held: the strip (Q, also keys)      3   k k k k k k k k
       4   Q Q Q Q Q Q Q Q    |  and the keys that it sees,          4   k k k k k k k k
       5   Q Q Q Q Q Q Q Q    |  window_rows / 2 = 2 rows            5   k k k k k k k k
       6   k k k k k k k k    |  above and below                     6   k k k k k k k k
       7   k k k k k k k k   /                                       7   k k k k k k k k
       8   . . . . . . . .   \  not loaded yet                       8   (row 8 comes here)
      ..   . . . . . . . .    |                                     ..
      13   . . . . . . . .   /                                      11   (row 11 comes here)

   Nothing of the size of all pairs is stored: backward computes the logits again. Units are summed in a fixed number of
   groups, so that results do not depend on the number of threads. */

#ifndef WINDOW_H
#define WINDOW_H

#include "unit.h"

/* ---------------------------------------------------------------- neighbouring queries and their pairs */

/* Up to MOST_QUERIES neighbours in a row, and the keys that any of them sees, row after row: every query is paired with
   all of these keys; a pair that is not in its window has weight zero. */
typedef struct {
    Offsets all, of_query[MOST_QUERIES];  /* that lead to keys: of any query, of each */
    int64_t width, count;                 /* columns of keys, and keys */
    int64_t first_column[MOST_QUERIES];   /* of the keys that each query sees */
} Block;

static inline int64_t ring_slot(const Unit *u, int64_t y, int64_t x) {
    return y % u->ring_rows * u->problem->width + x;
}

/* The block of the queries from (y, x) on; writes the slots of its keys. */
INLINED Block open_block(const int queries, Unit *u, int64_t y, int64_t x) {
    const Problem *p = u->problem;
    Block b;
    int64_t left = 0, right = 0;
    for (int t = 0; t < queries; t++) {
        Offsets r = b.of_query[t] = offsets_from_query(p, y, x + t);
        b.all = t ? joined(b.all, r) : r;
        int64_t first = x + t + r.left;
        if (!t) left = first;
        b.first_column[t] = first - left;
        right = first + r.right - r.left;
    }
    b.width = right - left;
    b.count = (b.all.bottom - b.all.top) * b.width;
    int32_t *slot = u->slots;
    for (int64_t o = b.all.top; o < b.all.bottom; o++) {
        int64_t row = ring_slot(u, y + o - p->window_rows / 2, x - p->window_columns / 2 + b.of_query[0].left);
        for (int64_t i = 0; i < b.width; i++) *slot++ = (int32_t)(row + i);
    }
    return b;
}

/* Where the pairs of query t in its window begin; a row of the window is b->width pairs after the one above. */
static inline int64_t first_pair(const Unit *u, const Block *b, int t) {
    return t * u->most_pairs + b->first_column[t];
}

static inline int64_t window_height(const Block *b, int t) { return b->of_query[t].bottom - b->of_query[t].top; }

static inline int64_t window_width(const Block *b, int t) { return b->of_query[t].right - b->of_query[t].left; }

/* Zero where a query does not see a key. One query sees all keys of its block. */
INLINED void clear_pairs(const int queries, const Unit *u, const Block *b, vec *pairs) {
    for (int t = 0; t < queries; t++)
        if (queries > 1) memset(pairs + t * u->most_pairs, 0, b->count * sizeof(vec));
}

/* Sums of a value by pair over the window of each query: by row offset, then by column offset. */
INLINED void sum_by_offset(const int queries, const Unit *u, const Block *b, const vec *pairs, vec *restrict sums) {
    const Problem *p = u->problem;
    for (int t = 0; t < queries; t++) {
        Offsets r = b->of_query[t];
        vec *rows = sums + t * u->offsets, *columns = rows + p->window_rows;
        for (int64_t s = b->all.left; s < b->all.right; s++) columns[s] = (vec){};
        for (int64_t o = r.top; o < r.bottom; o++) {
            const vec *pair = pairs + t * u->most_pairs + (o - r.top) * b->width + b->first_column[t] - r.left;
            vec sum = {};
            for (int64_t s = r.left; s < r.right; s++) {
                sum += pair[s];
                columns[s] += pair[s];
            }
            rows[o] = sum;
        }
    }
}

/* Logits of the pairs in the window of each query, from q.k in products, q.r in query_logits and k.r in key_logits.
   A window of one row has a single row offset, whose products are zero. */
INLINED void add_terms(const int queries, const Unit *u, const Block *b, vec *restrict logits) {
    const Problem *p = u->problem;
    for (int t = 0; t < queries; t++) {
        Offsets r = b->of_query[t];
        const vec *query_logits = u->query_logits + t * u->offsets;
        const int32_t *slot = u->slots + b->first_column[t];
        int64_t pair = first_pair(u, b, t);
        for (int64_t o = r.top; o < r.bottom; o++, pair += b->width, slot += b->width) {
            vec row = p->window_rows > 1 ? query_logits[o] : (vec){};
            for (int64_t s = r.left; s < r.right; s++) {
                int64_t n = pair + s - r.left;
                vec position = u->qr_scale * (row + query_logits[p->window_rows + s]);
                if (p->position_sensitive) {
                    const vec *key_logits = u->key_logits + slot[s - r.left] * u->offsets;
                    vec column = key_logits[p->window_rows + s];
                    position += u->kr_scale * (p->window_rows > 1 ? key_logits[o] + column : column);
                }
                logits[n] = u->qk_scale * u->products[n] + position;
            }
        }
    }
}

/* q.k and q.r of all pairs. */
INLINED void multiply_queries(const int queries, Unit *u, const Block *b, const vec *q) {
    const Problem *p = u->problem;
    dots(queries, q, u->k, u->slots, b->count, p->qk_size, u->most_pairs, u->products);
    dot_positions(queries, p, b->all, q, p->qk_size, p->qk_row_size, p->query_table, u->query_logits);
}

/* ---------------------------------------------------------------- attention; i counts queries within the strip */

/* Logits of a window to weights; stores the largest logit and 1 over the sum of exponentials. */
INLINED void softmax_of_window(int64_t rows, int64_t columns, int64_t width, vec *restrict weights,
                               vec *restrict stored) {
    vec largest = weights[0], sum = {};
    for (int64_t y = 0; y < rows; y++)
        for (int64_t n = y * width; n < y * width + columns; n++) largest = larger(largest, weights[n]);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t n = y * width; n < y * width + columns; n++)
            sum += weights[n] = exponential(weights[n] - largest);
    vec inverse = 1 / sum;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t n = y * width; n < y * width + columns; n++) weights[n] *= inverse;
    stored[0] = largest;
    stored[1] = inverse;
}

INLINED void attend(const int queries, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->problem;
    Block b = open_block(queries, u, y, x);
    vec *content = u->content + i * p->v_size, *positional = u->positional + i * p->v_size;
    multiply_queries(queries, u, &b, u->q + i * p->qk_size);
    clear_pairs(queries, u, &b, u->weights);
    add_terms(queries, u, &b, u->weights);
    for (int t = 0; t < queries; t++)
        softmax_of_window(window_height(&b, t), window_width(&b, t), b.width, u->weights + first_pair(u, &b, t),
                          u->softmax + 2 * (i + t));
    memset(content, 0, queries * p->v_size * sizeof(vec));
    gather(queries, u->weights, u->v, u->slots, b.count, p->v_size, u->most_pairs, content);
    if (!p->position_sensitive) return;
    memset(positional, 0, queries * p->v_size * sizeof(vec));
    sum_by_offset(queries, u, &b, u->weights, u->by_offset);
    add_positions(queries, p, b.all, u->by_offset, p->v_size, p->v_row_size, p->value_table, splat(1), positional);
}

/* The weights of the forward pass, from the logits and the stored softmax. */
INLINED void restore_weights(const int queries, Unit *u, const Block *b, int64_t i) {
    clear_pairs(queries, u, b, u->weights);
    add_terms(queries, u, b, u->weights);
    for (int t = 0; t < queries; t++) {
        vec largest = u->softmax[2 * (i + t)], inverse = u->softmax[2 * (i + t) + 1];
        vec *weights = u->weights + first_pair(u, b, t);
        for (int64_t row = 0; row < window_height(b, t); row++, weights += b->width)
            for (int64_t n = 0; n < window_width(b, t); n++)
                weights[n] = inverse * exponential(weights[n] - largest);
    }
}

/* Adds to the gradients of the weights those that come through the positional values. */
INLINED void add_positional_gradient(const int queries, Unit *u, const Block *b, const vec *dpositional) {
    const Problem *p = u->problem;
    dot_positions(queries, p, b->all, dpositional, p->v_size, p->v_row_size, p->value_table, u->by_offset);
    for (int t = 0; t < queries; t++) {
        Offsets r = b->of_query[t];
        const vec *rows = u->by_offset + t * u->offsets, *columns = rows + p->window_rows + r.left;
        vec *dweights = u->dweights + first_pair(u, b, t);
        for (int64_t o = r.top; o < r.bottom; o++, dweights += b->width)
            for (int64_t n = 0; n < window_width(b, t); n++)
                dweights[n] += p->window_rows > 1 ? rows[o] + columns[n] : columns[n];
    }
}

/* Gradients of logits from those of weights, in place. Where a query does not see a key its weight is zero, and so is
   the gradient. */
INLINED void softmax_backward(const int queries, Unit *u, const Block *b) {
    for (int t = 0; t < queries; t++) {
        const vec *weights = u->weights + t * u->most_pairs, *products = u->products + t * u->most_pairs;
        vec *gradients = u->dweights + t * u->most_pairs, dot = {};
        for (int64_t n = 0; n < b->count; n++) dot += weights[n] * gradients[n];
        for (int64_t n = 0; n < b->count; n++) {
            gradients[n] = weights[n] * (gradients[n] - dot);
            u->dqk_scale += gradients[n] * products[n];
        }
    }
}

/* Sum over all offsets in r of products by offset with their gradients. */
INLINED vec scale_gradient(const Problem *p, Offsets r, const vec *gradients, const vec *by_offset, vec sum) {
    for (int64_t o = r.top; o < r.bottom; o++) sum += gradients[o] * by_offset[o];
    for (int64_t s = p->window_rows + r.left; s < p->window_rows + r.right; s++) sum += gradients[s] * by_offset[s];
    return sum;
}

/* Gradients of the key-side logits k.r, for leave_keys. */
INLINED void add_key_logit_gradients(const int queries, Unit *u, const Block *b, const vec *dlogits) {
    const Problem *p = u->problem;
    for (int t = 0; t < queries; t++) {
        Offsets r = b->of_query[t];
        const vec *pair = dlogits + first_pair(u, b, t);
        const int32_t *slot = u->slots + b->first_column[t];
        for (int64_t o = r.top; o < r.bottom; o++, pair += b->width, slot += b->width)
            for (int64_t n = 0; n < window_width(b, t); n++) {
                vec *key = u->dkey_logits + slot[n] * u->offsets;
                if (p->window_rows > 1) key[o] += pair[n];
                key[p->window_rows + r.left + n] += pair[n];
            }
    }
}

INLINED void attend_backward(const int queries, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->problem;
    Block b = open_block(queries, u, y, x);
    const vec *q = u->q + i * p->qk_size;
    const vec *dcontent = u->content + i * p->v_size, *dpositional = u->positional + i * p->v_size;
    vec *dq = u->dq + i * p->qk_size, *dlogits = u->dweights;
    multiply_queries(queries, u, &b, q);
    restore_weights(queries, u, &b, i);

    dots(queries, dcontent, u->v, u->slots, b.count, p->v_size, u->most_pairs, u->dweights);
    if (p->position_sensitive) {
        add_positional_gradient(queries, u, &b, dpositional);
        sum_by_offset(queries, u, &b, u->weights, u->by_offset);
        add_table_gradient(queries, p, b.all, dpositional, u->by_offset, p->v_size, p->v_row_size, splat(1),
                           u->dvalue_table);
    }
    softmax_backward(queries, u, &b);

    memset(dq, 0, queries * p->qk_size * sizeof(vec));
    gather(queries, dlogits, u->k, u->slots, b.count, p->qk_size, u->most_pairs, dq);
    for (int64_t c = 0; c < queries * p->qk_size; c++) {
        dq[c] *= u->qk_scale;
        u->scaled_q[c] = u->qk_scale * q[c];
    }
    scatter(queries, dlogits, u->scaled_q, u->dk, u->slots, b.count, p->qk_size, u->most_pairs);
    scatter(queries, u->weights, dcontent, u->dv, u->slots, b.count, p->v_size, u->most_pairs);
    sum_by_offset(queries, u, &b, dlogits, u->by_offset);
    for (int t = 0; t < queries; t++)
        u->dqr_scale = scale_gradient(p, b.of_query[t], u->by_offset + t * u->offsets,
                                      u->query_logits + t * u->offsets, u->dqr_scale);
    add_positions(queries, p, b.all, u->by_offset, p->qk_size, p->qk_row_size, p->query_table, u->qr_scale, dq);
    add_table_gradient(queries, p, b.all, q, u->by_offset, p->qk_size, p->qk_row_size, u->qr_scale, u->dquery_table);
    if (p->position_sensitive) add_key_logit_gradients(queries, u, &b, dlogits);
}

/* ---------------------------------------------------------------- moments of the terms over the pairs on the map */

INLINED void observe(const int queries, Unit *u, int64_t y, int64_t x, int64_t i) {
    Block b = open_block(queries, u, y, x);
    multiply_queries(queries, u, &b, u->q + i * u->problem->qk_size);
    for (int t = 0; t < queries; t++) {
        const vec *products = u->products + first_pair(u, &b, t);
        vec sum = {}, square = {};
        for (int64_t row = 0; row < window_height(&b, t); row++, products += b.width)
            for (int64_t n = 0; n < window_width(&b, t); n++) {
                sum += products[n];
                square += products[n] * products[n];
            }
        u->strip_moments[0] += sum;
        u->strip_moments[1] += square;
        add_moments(u->problem, b.of_query[t], u->query_logits + t * u->offsets, u->strip_moments + 2,
                    u->strip_moments + 3);
    }
}

INLINED void observe_backward(const int queries, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->problem;
    Block b = open_block(queries, u, y, x);
    const vec *q = u->q + i * p->qk_size;
    vec *dq = u->dq + i * p->qk_size, *dproducts = u->weights;
    multiply_queries(queries, u, &b, q);
    clear_pairs(queries, u, &b, dproducts);
    for (int t = 0; t < queries; t++) {
        int64_t pair = first_pair(u, &b, t);
        for (int64_t row = 0; row < window_height(&b, t); row++, pair += b.width)
            for (int64_t n = pair; n < pair + window_width(&b, t); n++)
                dproducts[n] = u->moments[0] + 2 * u->moments[1] * u->products[n];
    }
    memset(dq, 0, queries * p->qk_size * sizeof(vec));
    gather(queries, dproducts, u->k, u->slots, b.count, p->qk_size, u->most_pairs, dq);
    scatter(queries, dproducts, q, u->dk, u->slots, b.count, p->qk_size, u->most_pairs);
    memset(u->by_offset, 0, queries * u->offsets * sizeof(vec));
    for (int t = 0; t < queries; t++)
        add_moments_backward(p, b.of_query[t], u->query_logits + t * u->offsets, u->moments[2], u->moments[3],
                             u->by_offset + t * u->offsets);
    add_positions(queries, p, b.all, u->by_offset, p->qk_size, p->qk_row_size, p->query_table, splat(1), dq);
    add_table_gradient(queries, p, b.all, q, u->by_offset, p->qk_size, p->qk_row_size, splat(1), u->dquery_table);
}

/* ---------------------------------------------------------------- keys; i is the slot of the first in the ring */

/* Key-side relative-position logits: k.r for the offsets that lead to the key. */
INLINED void multiply_keys(const int keys, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->problem;
    Offsets all = offsets_to_key(p, y, x);
    for (int t = 0; t < keys; t++) all = joined(all, offsets_to_key(p, y, x + t));
    vec *logits = u->key_logits + i * u->offsets;
    dot_positions(keys, p, all, u->k + i * p->qk_size, p->qk_size, p->qk_row_size, p->key_table, logits);
    for (int t = 0; t < keys; t++)
        if (u->task == OBSERVE)
            add_moments(p, offsets_to_key(p, y, x + t), logits + t * u->offsets, u->strip_moments + 4,
                        u->strip_moments + 5);
}

INLINED void multiply_keys_backward(const int keys, Unit *u, int64_t y, int64_t x, int64_t i) {
    const Problem *p = u->problem;
    Offsets all = offsets_to_key(p, y, x);
    vec *k = u->k + i * p->qk_size, *dlogits = u->dkey_logits + i * u->offsets;
    for (int t = 0; t < keys; t++) {
        Offsets r = offsets_to_key(p, y, x + t);
        const vec *logits = u->key_logits + (i + t) * u->offsets;
        all = joined(all, r);
        if (u->task == OBSERVE_BACKWARD)
            add_moments_backward(p, r, logits, u->moments[4], u->moments[5], dlogits + t * u->offsets);
        else
            u->dkr_scale = scale_gradient(p, r, dlogits + t * u->offsets, logits, u->dkr_scale);
    }
    add_positions(keys, p, all, dlogits, p->qk_size, p->qk_row_size, p->key_table, u->kr_scale, u->dk + i * p->qk_size);
    add_table_gradient(keys, p, all, k, dlogits, p->qk_size, p->qk_row_size, u->kr_scale, u->dkey_table);
}

/* ---------------------------------------------------------------- rows of queries and keys */

typedef enum { QUERIES, KEYS, KEYS_BACKWARD } Step;

INLINED void do_step(const Step step, const int count, Unit *u, int64_t y, int64_t x, int64_t i) {
    if (step == KEYS) multiply_keys(count, u, y, x, i);
    if (step == KEYS_BACKWARD) multiply_keys_backward(count, u, y, x, i);
    if (step != QUERIES) return;
    if (u->task == ATTEND) attend(count, u, y, x, i);
    if (u->task == ATTEND_BACKWARD) attend_backward(count, u, y, x, i);
    if (u->task == OBSERVE) observe(count, u, y, x, i);
    if (u->task == OBSERVE_BACKWARD) observe_backward(count, u, y, x, i);
}

/* A step for all positions of row y, up to `at_once` neighbours together; `place` counts as in the step's functions. */
INLINED void do_row(const Step step, int64_t at_once, Unit *u, int64_t y, int64_t place) {
    int64_t width = u->problem->width, x = 0;
    for (; at_once >= 4 && x + 4 <= width; x += 4) do_step(step, 4, u, y, x, place + x);
    for (; x + 2 <= width; x += 2) do_step(step, 2, u, y, x, place + x);
    for (; x < width; x++) do_step(step, 1, u, y, x, place + x);
}

/* Loads rows of keys into the ring. */
static void enter_keys(Unit *u, int64_t first, int64_t last) {
    const Problem *p = u->problem;
    int64_t begin = ring_slot(u, first, 0), count = (last - first) * p->width;
    load(&u->lanes, &p->k, p->qk_size, first, last, u->k + begin * p->qk_size);
    if (u->task == ATTEND || u->task == ATTEND_BACKWARD)
        load(&u->lanes, &p->v, p->v_size, first, last, u->v + begin * p->v_size);
    if (u->task == ATTEND_BACKWARD || u->task == OBSERVE_BACKWARD) {
        memset(u->dk + begin * p->qk_size, 0, count * p->qk_size * sizeof(vec));
        memset(u->dv + begin * p->v_size, 0, count * p->v_size * sizeof(vec));
        memset(u->dkey_logits + begin * u->offsets, 0, count * u->offsets * sizeof(vec));
    }
    for (int64_t y = first; y < last && p->position_sensitive; y++)
        do_row(KEYS, MOST_QUERIES, u, y, ring_slot(u, y, 0));
}

/* Stores the gradients of rows of keys that every query has seen. */
static void leave_keys(Unit *u, int64_t first, int64_t last) {
    const Problem *p = u->problem;
    if (u->task == ATTEND || u->task == OBSERVE) return;
    int64_t begin = ring_slot(u, first, 0);
    for (int64_t y = first; y < last && p->position_sensitive; y++)
        do_row(KEYS_BACKWARD, MOST_QUERIES, u, y, ring_slot(u, y, 0));
    store(&u->lanes, &p->dk, p->qk_size, first, last, u->dk + begin * p->qk_size);
    if (u->task == ATTEND_BACKWARD) store(&u->lanes, &p->dv, p->v_size, first, last, u->dv + begin * p->v_size);
}

/* ---------------------------------------------------------------- a unit from top to bottom */

static void sweep(Unit *u) {
    const Problem *p = u->problem;
    int task = u->task;
    int64_t entered = 0, left = 0; /* rows of keys */
    for (int64_t top = 0; top < p->height; top += u->strip_rows) {
        int64_t bottom = smaller_of(top + u->strip_rows, p->height);
        memset(u->strip_moments, 0, sizeof u->strip_moments);
        while (entered < p->height && entered < bottom + p->window_rows / 2) {
            int64_t next = smaller_of(entered + u->strip_rows, p->height);
            enter_keys(u, entered, next);
            entered = next;
        }
        load(&u->lanes, &p->q, p->qk_size, top, bottom, u->q);
        if (task == ATTEND_BACKWARD) {
            load(&u->lanes, &p->content, p->v_size, top, bottom, u->content);
            if (p->position_sensitive) load(&u->lanes, &p->positional, p->v_size, top, bottom, u->positional);
            load(&u->lanes, &p->softmax, 2, top, bottom, u->softmax);
        }
        for (int64_t y = top; y < bottom; y++) do_row(QUERIES, u->queries_at_once, u, y, (y - top) * p->width);
        if (task == ATTEND) {
            store(&u->lanes, &p->content, p->v_size, top, bottom, u->content);
            if (p->position_sensitive) store(&u->lanes, &p->positional, p->v_size, top, bottom, u->positional);
            store(&u->lanes, &p->softmax, 2, top, bottom, u->softmax);
        }
        if (task == OBSERVE)
            for (int m = 0; m < 6; m++) u->moments[m] += u->strip_moments[m];
        if (task == ATTEND_BACKWARD || task == OBSERVE_BACKWARD)
            store(&u->lanes, &p->dq, p->qk_size, top, bottom, u->dq);
        while (left < p->height && (bottom == p->height || left + u->strip_rows <= bottom - p->window_rows / 2)) {
            int64_t next = smaller_of(left + u->strip_rows, p->height);
            leave_keys(u, left, next);
            left = next;
        }
    }
}

static void run_unit(Unit *u, int64_t unit) {
    const Problem *p = u->problem;
    Lanes *lanes = &u->lanes;
    open_lanes(lanes, p, unit);
    u->qk_scale = u->qr_scale = u->kr_scale = splat(1);
    u->dqk_scale = u->dqr_scale = u->dkr_scale = (vec){};
    memset(u->moments, 0, sizeof u->moments);
    for (int64_t l = 0; l < lanes->count && p->scale; l++) {
        const REAL *scale = p->scale + lanes->head[l] * 3;
        u->qk_scale[l] = scale[0];
        u->qr_scale[l] = scale[1];
        u->kr_scale[l] = scale[2];
    }
    for (int64_t l = 0; l < lanes->count && u->task == OBSERVE_BACKWARD; l++)
        for (int m = 0; m < 6; m++) u->moments[m][l] = p->moments[(lanes->first + l) * 6 + m];
    sweep(u);
    for (int64_t l = 0; l < lanes->count && u->task == OBSERVE; l++)
        for (int m = 0; m < 6; m++) p->moments[(lanes->first + l) * 6 + m] = u->moments[m][l];
    for (int64_t l = 0; l < lanes->count && u->task == ATTEND_BACKWARD && p->position_sensitive; l++) {
        REAL *dscale = p->dscale + (lanes->first + l) * 3;
        dscale[0] = u->dqk_scale[l];
        dscale[1] = u->dqr_scale[l];
        dscale[2] = u->dkr_scale[l];
    }
}

/* The groups from first to before last; 1 where memory ran out. */
static int run_windows(const Problem *p, int task, int64_t first, int64_t last) {
    Unit unit, *u = &unit;
    if (open_unit(u, p, task)) return 1;
    int64_t size = 2 * u->query_table_size + u->value_table_size;
    for (int64_t group = first; group < last; group++) {
        memset(u->dquery_table, 0, size * sizeof(vec)); /* of all three tables */
        for (int64_t i = first_of_group(p, group); i < first_of_group(p, group + 1); i++) run_unit(u, i);
        if (!p->dtables) continue;
        for (int64_t t = 0; t < size; t++) p->dtables[group * size + t] = sum_of_lanes(u->dquery_table[t]);
    }
    free(u->memory);
    return 0;
}

#endif
