/* Vectors of numbers: one lane for each of the independent maps that are worked on at once. */

#ifndef VECTORS_H
#define VECTORS_H

#include <math.h>
#include <stdint.h>

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
#define MOST_LANES 64

typedef REAL vec __attribute__((vector_size(VECTOR)));
#if BYTES == 4
typedef int32_t Integers __attribute__((vector_size(VECTOR)));
#else
typedef int64_t Integers __attribute__((vector_size(VECTOR)));
#endif

/* For functions with counts among their arguments that must be constants when the loops over them are compiled. */
#define INLINED static inline __attribute__((always_inline))

INLINED vec splat(REAL x) { return x - (vec){}; }

INLINED vec larger(vec a, vec b) {
    typedef __typeof__(a > b) Mask;
    Mask mask = a > b;
    return (vec)((mask & (Mask)a) | (~mask & (Mask)b));
}

/* e^x for x <= 0, within one or two units in the last place. */
static inline vec exponential(vec x) {
    if (sizeof(REAL) == 8) {
        for (int64_t l = 0; l < LANES; l++) x[l] = exp(x[l]);
        return x;
    }
    typedef int32_t Int32s __attribute__((vector_size(VECTOR)));
    typedef float Floats __attribute__((vector_size(VECTOR)));
    const float rounding = 12582912.0f; /* 1.5 2^23: adding it rounds to an integer */
    Floats y = (Floats)larger(x, splat(-87));
    Floats power = (y * 1.44269504f + rounding) - rounding; /* of two */
    Floats rest = y - power * 0.693359375f + power * 2.12194440e-4f;
    Floats series = 1.9875691500e-4f - (Floats){};
    series = series * rest + 1.3981999507e-3f;
    series = series * rest + 8.3334519073e-3f;
    series = series * rest + 4.1665795894e-2f;
    series = series * rest + 1.6666665459e-1f;
    series = series * rest + 5.0000001201e-1f;
    series = series * rest * rest + rest + 1.0f;
    Int32s exponent = __builtin_convertvector(power, Int32s);
    return (vec)(Floats)((Int32s)series + (exponent << 23));
}

static inline REAL sum_of_lanes(vec x) {
    REAL sum = 0;
    for (int64_t l = 0; l < LANES; l++) sum += x[l];
    return sum;
}

/* Transposition of LANES vectors of LANES numbers. Step S exchanges elements S apart across vectors S apart. Indices of
   a shuffle must be constant expressions, so these remain macros; they read nothing but their arguments. */
#define LOW(k, S) ((k) & (S) ? VECTOR / BYTES + (k) - (S) : (k))
#define HIGH(k, S) ((k) & (S) ? VECTOR / BYTES + (k) : (k) + (S))
#define FOUR_INDICES(SIDE, k, S) SIDE(k, S), SIDE(k + 1, S), SIDE(k + 2, S), SIDE(k + 3, S)
#if VECTOR / BYTES == 4
#define INDICES(SIDE, S) FOUR_INDICES(SIDE, 0, S)
#elif VECTOR / BYTES == 8
#define INDICES(SIDE, S) FOUR_INDICES(SIDE, 0, S), FOUR_INDICES(SIDE, 4, S)
#else
#define INDICES(SIDE, S) \
    FOUR_INDICES(SIDE, 0, S), FOUR_INDICES(SIDE, 4, S), FOUR_INDICES(SIDE, 8, S), FOUR_INDICES(SIDE, 12, S)
#endif
#ifdef __clang__
#define SHUFFLE(a, b, SIDE, S) __builtin_shufflevector(a, b, INDICES(SIDE, S))
#else
#define SHUFFLE(a, b, SIDE, S) __builtin_shuffle(a, b, (Integers){INDICES(SIDE, S)})
#endif

/* exchange_1, exchange_2, ...: one step on all rows of the square. */
#define DEFINE_EXCHANGE(S)                             \
    INLINED void exchange_##S(vec *rows) {             \
        for (int64_t i = 0; i < LANES; i++)            \
            if (!(i & (S))) {                          \
                vec a = rows[i], b = rows[i + (S)];    \
                rows[i] = SHUFFLE(a, b, LOW, S);       \
                rows[i + (S)] = SHUFFLE(a, b, HIGH, S); \
            }                                          \
    }

DEFINE_EXCHANGE(1)
DEFINE_EXCHANGE(2)
#if VECTOR / BYTES > 4
DEFINE_EXCHANGE(4)
#endif
#if VECTOR / BYTES > 8
DEFINE_EXCHANGE(8)
#endif

static inline void transpose(vec *rows) {
    exchange_1(rows);
    exchange_2(rows);
#if VECTOR / BYTES > 4
    exchange_4(rows);
#endif
#if VECTOR / BYTES > 8
    exchange_8(rows);
#endif
}

#endif
