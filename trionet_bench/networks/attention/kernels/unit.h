/* A unit of work: the memory for one vector of maps, and the copies between it and the tensors. */

#ifndef UNIT_H
#define UNIT_H

#include <stdlib.h>
#include <string.h>

#include "positions.h"

typedef struct {
    const Problem *problem;
    int task;
    int64_t first_map, lanes; /* map of lane 0; lanes in use, fewer than LANES in a last unit */
    int64_t image[MOST_LANES], head[MOST_LANES], line[MOST_LANES]; /* of each lane's map */
    int64_t start[MOST_LANES];       /* where the map begins in the tensor that is copied */
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

static void locate_maps(Unit *u, const Maps *maps) {
    for (int64_t l = 0; l < u->lanes; l++)
        u->start[l] = u->image[l] * maps->image_stride + u->head[l] * maps->head_stride +
                      u->line[l] * u->problem->line_stride;
}

/* How many lanes from `first` on are adjacent in memory. */
static int64_t adjacent_lanes(const Unit *u, int64_t first) {
    int64_t l = first + 1;
    while (l < u->lanes && u->start[l] == u->start[first] + l - first) l++;
    return l - first;
}

/* Whether positions can be copied LANES at a time, by a transposition. The last square begins early enough to be full,
   and repeats some positions of the one before. */
static int fits_squares(const Unit *u, int64_t positions) {
    return u->lanes == LANES && u->problem->position_stride == 1 && positions >= LANES;
}

static int64_t next_square(int64_t position, int64_t positions) {
    int64_t next = position + LANES;
    return next < positions && next + LANES > positions ? positions - LANES : next;
}

/* Rows from first to before last of all maps to (position, channel) vectors. */
static void load(Unit *u, const Maps *maps, int64_t channels, int64_t first, int64_t last, vec *restrict out) {
    const Problem *p = u->problem;
    int64_t begin = first * p->width, positions = (last - first) * p->width;
    locate_maps(u, maps);
    int64_t run = adjacent_lanes(u, 0), second_run = run < u->lanes ? adjacent_lanes(u, run) : 0;
    if (run + second_run == LANES) {
        /* Of two runs the second lies behind the first: what is read beyond their lanes is still in the tensor. */
        const REAL *from = maps->data + u->start[0] + begin * p->position_stride;
        int64_t distance = second_run ? u->start[run] - run - u->start[0] : 0;
        Integers in_second;
        for (int64_t l = 0; l < LANES; l++) in_second[l] = l < run ? 0 : -1;
        for (int64_t i = 0; i < positions; i++)
            for (int64_t c = 0; c < channels; c++) {
                const REAL *place = from + c * p->channel_stride + i * p->position_stride;
                Integers one, other;
                memcpy(&one, place, sizeof(vec));
                memcpy(&other, place + distance, sizeof(vec));
                one = (one & ~in_second) | (other & in_second);
                memcpy(out + i * channels + c, &one, sizeof(vec));
            }
        return;
    }
    if (u->lanes < LANES) memset(out, 0, positions * channels * sizeof(vec));
    if (fits_squares(u, positions)) {
        for (int64_t i = 0; i < positions; i = next_square(i, positions))
            for (int64_t c = 0; c < channels; c++) {
                vec square[LANES];
                for (int64_t l = 0; l < LANES; l++)
                    memcpy(square + l, maps->data + u->start[l] + c * p->channel_stride + begin + i, sizeof(vec));
                transpose(square);
                for (int64_t j = 0; j < LANES; j++) out[(i + j) * channels + c] = square[j];
            }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t l = 0; l < u->lanes; l++) {
            const REAL *from = maps->data + u->start[l] + c * p->channel_stride + begin * p->position_stride;
            for (int64_t i = 0; i < positions; i++) out[i * channels + c][l] = from[i * p->position_stride];
        }
}

/* The inverse of load. */
static void store(Unit *u, const Maps *maps, int64_t channels, int64_t first, int64_t last, const vec *restrict in) {
    const Problem *p = u->problem;
    int64_t begin = first * p->width, positions = (last - first) * p->width;
    locate_maps(u, maps);
    if (adjacent_lanes(u, 0) == LANES) {
        REAL *to = maps->data + u->start[0] + begin * p->position_stride;
        for (int64_t i = 0; i < positions; i++)
            for (int64_t c = 0; c < channels; c++)
                memcpy(to + c * p->channel_stride + i * p->position_stride, in + i * channels + c, sizeof(vec));
        return;
    }
    if (fits_squares(u, positions)) {
        for (int64_t i = 0; i < positions; i = next_square(i, positions))
            for (int64_t c = 0; c < channels; c++) {
                vec square[LANES];
                for (int64_t j = 0; j < LANES; j++) square[j] = in[(i + j) * channels + c];
                transpose(square);
                for (int64_t l = 0; l < LANES; l++)
                    memcpy(maps->data + u->start[l] + c * p->channel_stride + begin + i, square + l, sizeof(vec));
            }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t l = 0; l < u->lanes; l++) {
            REAL *to = maps->data + u->start[l] + c * p->channel_stride + begin * p->position_stride;
            for (int64_t i = 0; i < positions; i++) to[i * p->position_stride] = in[i * channels + c][l];
        }
}

/* Where the softmax of a lane's map, from its row `first` on, is stored. */
static REAL *stored_softmax(const Unit *u, int64_t lane, int64_t first) {
    const Problem *p = u->problem;
    return p->softmax + 2 * ((u->first_map + lane) * p->height + first) * p->width;
}

static void load_softmax(Unit *u, int64_t first, int64_t last) {
    int64_t count = 2 * (last - first) * u->problem->width;
    memset(u->softmax, 0, count * sizeof(vec));
    for (int64_t l = 0; l < u->lanes; l++) {
        const REAL *from = stored_softmax(u, l, first);
        for (int64_t i = 0; i < count; i++) u->softmax[i][l] = from[i];
    }
}

static void store_softmax(const Unit *u, int64_t first, int64_t last) {
    int64_t count = 2 * (last - first) * u->problem->width;
    for (int64_t l = 0; l < u->lanes; l++) {
        REAL *to = stored_softmax(u, l, first);
        for (int64_t i = 0; i < count; i++) to[i] = u->softmax[i][l];
    }
}

#endif
