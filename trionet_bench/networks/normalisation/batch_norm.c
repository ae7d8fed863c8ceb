/* Batch normalisation by the statistics of a batch, with the sum of a shortcut and a ReLU behind it, and its gradients.

     z = (x - mean) / sqrt(variance + eps) weight + bias [+ shortcut]        y = z, or max(z, 0)

   over all positions of all images; mean and variance (biased) are kept for backward. Memory is contiguous, (images,
   channels, positions). A channel is read from memory once in each direction and stays in the cache for the further
   sweeps over it. Sums are of BLOCK values in the number format, then in double. Threads take whole channels, so that
   results do not depend on their number. */

#include <math.h>
#include <stdint.h>

#define LANES (64 / BYTES)
#define BLOCK 32
#define INLINED static inline __attribute__((always_inline))

typedef REAL vec __attribute__((vector_size(64), aligned(BYTES), may_alias));
typedef __typeof__((vec){} < (vec){}) mask;

typedef struct {
    int64_t images, channels, positions, rectified;
    const REAL *x, *shortcut, *weight, *bias, *y, *dy;
    REAL *out, *dshortcut, *dweight, *dbias;
    double *mean, *inverse; /* of each channel: its mean, and 1 over its standard deviation */
    double eps;
} Problem;

int64_t size_of_problem(void) { return sizeof(Problem); }

/* ---------------------------------------------------------------- vectors and sums */

/* A vector, of which only the first count lanes are in memory where there are fewer; the others are zero. */
INLINED vec load(const REAL *from, int64_t count) {
    if (count >= LANES) return *(const vec *)from;
    vec v = {};
    for (int64_t i = 0; i < count; i++) v[i] = from[i];
    return v;
}

INLINED void store(REAL *to, vec v, int64_t count) {
    if (count >= LANES) *(vec *)to = v;
    else for (int64_t i = 0; i < count; i++) to[i] = v[i];
}

INLINED vec zero_where(mask m, vec v) { return (vec)((mask)v & ~m); }

INLINED vec zero_behind(vec v, int64_t count) {
    for (int64_t i = count; i < LANES; i++) v[i] = 0;
    return v;
}

INLINED void flush(double *total, vec *sum) {
    for (int i = 0; i < LANES; i++) *total += (*sum)[i];
    *sum = (vec){};
}

/* Every vector of a channel: where it is, how many of its lanes are in memory, how many vectors were before it. */
#define FOR_EACH_VECTOR(p, channel)                                                                         \
    for (int64_t image = 0, before = 0, n; image < p->images; image++)                                      \
        for (int64_t i = 0, at = (image * p->channels + channel) * p->positions;                            \
             n = p->positions - i, i < p->positions; i += LANES, at += LANES, before++)

/* ---------------------------------------------------------------- one channel; the last arguments are constants */

INLINED void normalise(const Problem *p, int64_t channel, const int shortcut, const int rectified) {
    const double count = (double)p->images * p->positions;
    double total = 0, squares = 0, rest = 0;
    vec sum = {}, left = {};
    FOR_EACH_VECTOR(p, channel) {
        sum += load(p->x + at, n);
        if (before % BLOCK == BLOCK - 1) flush(&total, &sum);
    }
    flush(&total, &sum);
    REAL mean = (REAL)(total / count);
    FOR_EACH_VECTOR(p, channel) {
        vec d = load(p->x + at, n) - mean;
        if (n < LANES) d = zero_behind(d, n);
        sum += d * d, left += d;
        if (before % BLOCK == BLOCK - 1) flush(&squares, &sum), flush(&rest, &left);
    }
    flush(&squares, &sum), flush(&rest, &left);
    double off = rest / count; /* from that mean, which is rounded, to the exact one */
    double inverse = 1 / sqrt(fmax(squares / count - off * off, 0) + p->eps);
    REAL scale = (REAL)(inverse * p->weight[channel]), shift = (REAL)(p->bias[channel] - off * scale);
    p->mean[channel] = mean + off, p->inverse[channel] = inverse;
    FOR_EACH_VECTOR(p, channel) {
        vec z = (load(p->x + at, n) - mean) * scale + shift;
        if (shortcut) z += load(p->shortcut + at, n);
        if (rectified) z = zero_where(z < 0, z); /* what is no number stays so */
        store(p->out + at, z, n);
    }
}

INLINED void differentiate(const Problem *p, int64_t channel, const int shortcut, const int rectified) {
    const double count = (double)p->images * p->positions, inverse = p->inverse[channel];
    const REAL mean = (REAL)p->mean[channel];
    double total = 0, product = 0;
    vec sum = {}, along = {};
    FOR_EACH_VECTOR(p, channel) {
        vec dz = load(p->dy + at, n);
        if (rectified) dz = zero_where(load(p->y + at, n) <= 0, dz);
        if (shortcut) store(p->dshortcut + at, dz, n);
        sum += dz;
        along += dz * (load(p->x + at, n) - mean);
        if (before % BLOCK == BLOCK - 1) flush(&total, &sum), flush(&product, &along);
    }
    flush(&total, &sum), flush(&product, &along);
    double off = p->mean[channel] - mean, factor = inverse * p->weight[channel];
    product -= off * total;
    double slope = factor * inverse * inverse * product / count;
    REAL direct = (REAL)factor, linear = (REAL)slope, constant = (REAL)(factor * total / count - slope * off);
    p->dweight[channel] = (REAL)(product * inverse);
    p->dbias[channel] = (REAL)total;
    FOR_EACH_VECTOR(p, channel) {
        vec dz = load((shortcut ? p->dshortcut : p->dy) + at, n);
        if (rectified && !shortcut) dz = zero_where(load(p->y + at, n) <= 0, dz);
        store(p->out + at, direct * dz - constant - linear * (load(p->x + at, n) - mean), n);
    }
}

/* ---------------------------------------------------------------- all channels */

#define WITH_CONSTANTS(function, with_shortcut)                        \
    static void function##_channel(const Problem *p, int64_t channel) { \
        if (with_shortcut && p->rectified) function(p, channel, 1, 1); \
        else if (with_shortcut) function(p, channel, 1, 0);            \
        else if (p->rectified) function(p, channel, 0, 1);             \
        else function(p, channel, 0, 0);                               \
    }

WITH_CONSTANTS(normalise, p->shortcut)
WITH_CONSTANTS(differentiate, p->dshortcut)

void run(const Problem *p, int64_t backward, int64_t threads) {
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static)
#endif
    for (int64_t channel = 0; channel < p->channels; channel++)
        if (backward) differentiate_channel(p, channel);
        else normalise_channel(p, channel);
}
