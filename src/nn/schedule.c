/* schedule.c — see schedule.h. */
#include "nn/schedule.h"

#include <math.h>

double dcnn_schedule_rate(dcnn_schedule schedule, double rate, int64_t step, int64_t steps) {
    if (schedule == DCNN_SCHEDULE_CONSTANT) return rate;
    if (step >= steps) return 0.0;
    return rate * 0.5 * (1.0 + cos(3.14159265358979323846 * (double)step / (double)steps));
}
