/* What Python calls. Work is cut into groups of vectors of maps, each of which is done by one thread; the groups do not
   depend on the number of threads, so that neither do the results. */

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cross.h"
#include "window.h"

int64_t size_of_problem(void) { return sizeof(Problem); }

int64_t size_of_maps(void) { return sizeof(Maps); }

/* The groups from first to before last; 1 where memory ran out. */
int run_groups(const Problem *p, int64_t task, int64_t first, int64_t last) {
    int crosses = task == CROSS || task == CROSS_BACKWARD;
    return crosses ? run_crosses(p, (int)task, first, last) : run_windows(p, (int)task, first, last);
}

#ifdef _OPENMP
/* All groups, on this number of threads. */
int run_all(const Problem *p, int64_t task, int64_t threads) {
    int failed = 0;
#pragma omp parallel num_threads((int)threads) reduction(| : failed)
    {
        int64_t thread = omp_get_thread_num(), count = omp_get_num_threads();
        failed |= run_groups(p, task, p->groups * thread / count, p->groups * (thread + 1) / count);
    }
    return failed;
}
#endif
