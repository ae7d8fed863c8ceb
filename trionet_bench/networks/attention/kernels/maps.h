/* A vector of maps, one in each lane, and the copies between it and the tensors. */

#ifndef MAPS_H
#define MAPS_H

#include <string.h>

#include "problem.h"

typedef struct {
    const Problem *problem;
    int64_t first, count; /* map of lane 0; lanes in use, fewer than LANES in a last vector */
    int64_t image[MOST_LANES], head[MOST_LANES], line[MOST_LANES]; /* of each lane's map */
    int64_t start[MOST_LANES]; /* where the map begins in the tensor that is copied */
} Lanes;

/* The first vector of maps of a group. */
static inline int64_t first_of_group(const Problem *p, int64_t group) {
    int64_t vectors = (p->images * p->heads * p->lines + LANES - 1) / LANES;
    return vectors * group / p->groups;
}

/* Lanes for a vector of maps. */
static void open_lanes(Lanes *a, const Problem *p, int64_t vector) {
    a->problem = p;
    a->first = vector * LANES;
    a->count = smaller_of(p->images * p->heads * p->lines - a->first, LANES);
    for (int64_t l = 0; l < a->count; l++) {
        int64_t map = a->first + l;
        a->line[l] = map % p->lines;
        a->head[l] = map / p->lines % p->heads;
        a->image[l] = map / p->lines / p->heads;
    }
}

static void locate_maps(Lanes *a, const Maps *maps) {
    for (int64_t l = 0; l < a->count; l++)
        a->start[l] = a->image[l] * maps->image_stride + a->head[l] * maps->head_stride +
                      a->line[l] * a->problem->line_stride;
}

/* How many lanes from `first` on are adjacent in memory. */
static int64_t adjacent_lanes(const Lanes *a, int64_t first) {
    int64_t l = first + 1;
    while (l < a->count && a->start[l] == a->start[first] + l - first) l++;
    return l - first;
}

/* Whether positions can be copied LANES at a time, by a transposition. The last square begins early enough to be full,
   and repeats some positions of the one before. */
static int fits_squares(const Lanes *a, int64_t positions) {
    return a->count == LANES && a->problem->position_stride == 1 && positions >= LANES;
}

static int64_t next_square(int64_t position, int64_t positions) {
    int64_t next = position + LANES;
    return next < positions && next + LANES > positions ? positions - LANES : next;
}

/* Rows from first to before last of all maps to (position, channel) vectors. */
static void load(Lanes *a, const Maps *maps, int64_t channels, int64_t first, int64_t last, vec *restrict out) {
    const Problem *p = a->problem;
    int64_t begin = first * p->width, positions = (last - first) * p->width;
    locate_maps(a, maps);
    int64_t run = adjacent_lanes(a, 0), second_run = run < a->count ? adjacent_lanes(a, run) : 0;
    if (run + second_run == LANES) {
        /* Of two runs the second lies behind the first: what is read beyond their lanes is still in the tensor. */
        const REAL *from = maps->data + a->start[0] + begin * p->position_stride;
        int64_t distance = second_run ? a->start[run] - run - a->start[0] : 0;
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
    if (a->count < LANES) memset(out, 0, positions * channels * sizeof(vec));
    if (fits_squares(a, positions)) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < positions; i = next_square(i, positions)) {
                vec square[LANES];
                for (int64_t l = 0; l < LANES; l++)
                    memcpy(square + l, maps->data + a->start[l] + c * p->channel_stride + begin + i, sizeof(vec));
                transpose(square);
                for (int64_t j = 0; j < LANES; j++) out[(i + j) * channels + c] = square[j];
            }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t l = 0; l < a->count; l++) {
            const REAL *from = maps->data + a->start[l] + c * p->channel_stride + begin * p->position_stride;
            for (int64_t i = 0; i < positions; i++) out[i * channels + c][l] = from[i * p->position_stride];
        }
}

/* The inverse of load. */
static void store(Lanes *a, const Maps *maps, int64_t channels, int64_t first, int64_t last, const vec *restrict in) {
    const Problem *p = a->problem;
    int64_t begin = first * p->width, positions = (last - first) * p->width;
    locate_maps(a, maps);
    if (adjacent_lanes(a, 0) == LANES) {
        REAL *to = maps->data + a->start[0] + begin * p->position_stride;
        for (int64_t i = 0; i < positions; i++)
            for (int64_t c = 0; c < channels; c++)
                memcpy(to + c * p->channel_stride + i * p->position_stride, in + i * channels + c, sizeof(vec));
        return;
    }
    if (fits_squares(a, positions)) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < positions; i = next_square(i, positions)) {
                vec square[LANES];
                for (int64_t j = 0; j < LANES; j++) square[j] = in[(i + j) * channels + c];
                transpose(square);
                for (int64_t l = 0; l < LANES; l++)
                    memcpy(maps->data + a->start[l] + c * p->channel_stride + begin + i, square + l, sizeof(vec));
            }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t l = 0; l < a->count; l++) {
            REAL *to = maps->data + a->start[l] + c * p->channel_stride + begin * p->position_stride;
            for (int64_t i = 0; i < positions; i++) to[i * p->position_stride] = in[i * channels + c][l];
        }
}

#endif
