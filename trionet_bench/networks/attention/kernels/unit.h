/* A unit of work on windows: the memory for one vector of maps. */

#ifndef UNIT_H
#define UNIT_H

#include <stdlib.h>

#include "maps.h"
#include "positions.h"

typedef struct {
    const Problem *problem;
    int task;
    Lanes lanes;
    int64_t strip_rows, ring_rows;   /* rows of queries that are copied at once; rows of keys that are held */
    int64_t offsets;                 /* row and column offsets of the window */
    int64_t queries_at_once;         /* at most; they share the keys that they read */
    int64_t most_pairs;              /* keys that any of those queries sees, at most */
    int64_t query_table_size, value_table_size;
    vec qk_scale, qr_scale, kr_scale, dqk_scale, dqr_scale, dkr_scale;
    vec moments[6], strip_moments[6];                           /* long sums: first by strip */
    vec *q, *dq, *content, *positional, *softmax;               /* of the strip: (position, channel) */
    vec *k, *v, *key_logits, *dk, *dv, *dkey_logits;            /* of the ring; key_logits are k.r by offset */
    vec *products, *weights, *dweights;                         /* of the queries at hand: (query, pair) */
    vec *query_logits, *by_offset;                              /* (query, offset): q.r, and sums over pairs */
    vec *scaled_q;                                              /* (query, channel) */
    vec *dquery_table, *dkey_table, *dvalue_table;              /* end to end */
    int32_t *slots;                                             /* of the pairs' keys in the ring */
    char *memory, *unused;
} Unit;

static inline vec *reserve(Unit *u, int64_t count) {
    vec *result = (vec *)u->unused;
    u->unused += count * sizeof(vec);
    return result;
}

/* 1 where memory ran out. */
static int open_unit(Unit *u, const Problem *p, int task) {
    u->problem = p;
    u->task = task;
    u->offsets = p->window_rows + p->window_columns;
    u->query_table_size = table_size(p, p->qk_size, p->qk_row_size);
    u->value_table_size = table_size(p, p->v_size, p->v_row_size);
    u->strip_rows = p->width < LANES ? (LANES + p->width - 1) / p->width : 1;
    int64_t seen = p->window_rows + 3 * u->strip_rows; /* above and below the strip, in full strips */
    u->ring_rows = (smaller_of(seen, p->height) + u->strip_rows - 1) / u->strip_rows * u->strip_rows;
    /* Queries whose windows differ also multiply what only some of them see. */
    u->queries_at_once = p->window_columns >= p->width ? MOST_QUERIES : 2;
    u->most_pairs = smaller_of(p->window_rows, p->height) *
                    smaller_of(p->window_columns + MOST_QUERIES - 1, p->width);
    int64_t strip = u->strip_rows * p->width, ring = u->ring_rows * p->width;
    int64_t size = strip * (2 * p->qk_size + 2 * p->v_size + 2) + ring * 2 * (p->qk_size + p->v_size + u->offsets) +
                   MOST_QUERIES * (3 * u->most_pairs + 2 * u->offsets + p->qk_size) + u->most_pairs +
                   2 * u->query_table_size + u->value_table_size;
    u->unused = u->memory = aligned_alloc(64, (size * sizeof(vec) + 63) / 64 * 64);
    if (!u->memory) return 1;
    u->q = reserve(u, strip * p->qk_size);
    u->dq = reserve(u, strip * p->qk_size);
    u->content = reserve(u, strip * p->v_size);
    u->positional = reserve(u, strip * p->v_size);
    u->softmax = reserve(u, strip * 2);
    u->k = reserve(u, ring * p->qk_size);
    u->v = reserve(u, ring * p->v_size);
    u->key_logits = reserve(u, ring * u->offsets);
    u->dk = reserve(u, ring * p->qk_size);
    u->dv = reserve(u, ring * p->v_size);
    u->dkey_logits = reserve(u, ring * u->offsets);
    u->products = reserve(u, MOST_QUERIES * u->most_pairs);
    u->weights = reserve(u, MOST_QUERIES * u->most_pairs);
    u->dweights = reserve(u, MOST_QUERIES * u->most_pairs);
    u->slots = (int32_t *)reserve(u, u->most_pairs);
    u->query_logits = reserve(u, MOST_QUERIES * u->offsets);
    u->by_offset = reserve(u, MOST_QUERIES * u->offsets);
    u->scaled_q = reserve(u, MOST_QUERIES * p->qk_size);
    u->dquery_table = reserve(u, u->query_table_size);
    u->dkey_table = reserve(u, u->query_table_size);
    u->dvalue_table = reserve(u, u->value_table_size);
    return 0;
}

#endif
