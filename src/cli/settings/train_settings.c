/* SPDX-License-Identifier: BSD-3-Clause */
/* train_settings.c — see train_settings.h. */
#include "cli/settings/train_settings.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "run/data/class_weights.h"

static bool is_given(const dcnn_options *options, const char *name) {
    return dcnn_option_given(DCNN_COMMAND_TRAIN, name, options);
}

static int64_t step_samples(const dcnn_options *options) {
    return options->train.batch_size * options->train.accumulate;
}

static dcnn_optimizer_kind kind_of(const dcnn_options *options) {
    dcnn_optimizer_kind kind = DCNN_ADAM;
    while (strcmp(dcnn_optimizer_table[kind].name, options->optimizer) != 0) kind++;
    return kind;
}

void dcnn_train_settings_defaults(dcnn_options *options) {
    const dcnn_optimizer_row *row = &dcnn_optimizer_table[kind_of(options)];
    if (!is_given(options, "learning-rate")) options->learning_rate = row->learning_rate;
    if (!is_given(options, "beta-2")) options->beta_2 = row->beta2;
    if (!is_given(options, "momentum")) options->momentum = row->momentum;
    if (!is_given(options, "nesterov")) options->nesterov = kind_of(options) == DCNN_MUON; /* Keras' default */
    if (!is_given(options, "weight-decay")) options->weight_decay = row->weight_decay;
    if (options->train.grain == 0) options->train.grain = dcnn_engine_grain(options->train.batch_size);
}

dcnn_shuffle dcnn_train_settings_shuffle(const dcnn_options *o) {
    return (dcnn_shuffle)dcnn_word_find(dcnn_shuffle_names, DCNN_SHUFFLE_COUNT, o->shuffle);
}

/* Augmented images are never seen twice, so a run gains by letting the rate fall; the recipe itself keeps it. */
dcnn_schedule dcnn_train_settings_schedule(const dcnn_options *options) {
    dcnn_schedule schedule = {.kind = options->train.augment ? DCNN_SCHEDULE_COSINE : DCNN_SCHEDULE_CONSTANT,
                              .warmup_epochs = options->warmup,
                              .decay_rate = options->decay_rate,
                              .decay_epochs = options->decay_epochs,
                              .decay_power = options->decay_power,
                              .keras_warmup = options->keras_warmup};
    const int named = dcnn_word_find(dcnn_schedule_names, DCNN_SCHEDULE_COUNT, options->schedule); /* or "auto" */
    if (named < DCNN_SCHEDULE_COUNT) schedule.kind = (dcnn_schedule_kind)named;
    if (options->pieces) (void)dcnn_schedule_read_pieces(options->pieces, &schedule); /* checked at the start */
    return schedule;
}

dcnn_plateau dcnn_train_settings_plateau(const dcnn_options *options) {
    dcnn_plateau plateau;
    (void)dcnn_plateau_read(options->plateau, &plateau); /* checked at the start */
    plateau.factor = options->decay_rate;
    return plateau;
}

static double rate_factor(const dcnn_options *options) {
    const int scale = dcnn_word_find(dcnn_rate_scale_names, DCNN_RATE_SCALE_COUNT, options->lr_scale);
    return dcnn_rate_factor((dcnn_rate_scale)scale, step_samples(options));
}

dcnn_optimizer dcnn_train_settings_optimizer(const dcnn_options *options) {
    return (dcnn_optimizer){.kind = kind_of(options),
                            .learning_rate = options->learning_rate * rate_factor(options),
                            .beta1 = options->beta_1,
                            .beta2 = options->beta_2,
                            .epsilon = options->epsilon,
                            .momentum = options->momentum,
                            .weight_decay = options->weight_decay,
                            .trust_coefficient = options->trust_coefficient,
                            .nesterov = options->nesterov,
                            .clip_norm = options->clip_norm,
                            .clip_value = options->clip_value,
                            .ema_momentum = options->ema,
                            .ema_overwrite = options->ema_overwrite};
}

/* Options that the optimizer or the schedule chosen does not read. */
static dcnn_status check_readers(const dcnn_options *options) {
    char text[160];
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *option = &dcnn_option_table[i];
        if (!options->given[i] || dcnn_option_find(DCNN_COMMAND_TRAIN, option->name) != option) continue;
        for (int by = 0; by < DCNN_READER_COUNT; by++) {
            const char *chosen = by == DCNN_READER_OPTIMIZER
                                     ? options->optimizer
                                     : dcnn_schedule_names[dcnn_train_settings_schedule(options).kind];
            if (dcnn_option_reads((dcnn_option_reader)by, chosen, option->name)) continue;
            const char *what = by == DCNN_READER_OPTIMIZER ? "optimizer" : "schedule";
            return DCNN_FAIL(DCNN_USAGE, "--%s goes with --%s %s, but the %s is %s: leave out --%s or change --%s",
                             option->name, what, dcnn_option_readers((dcnn_option_reader)by, option->name, "or", text),
                             what, chosen, option->name, what);
        }
    }
    if (options->clip_norm > 0.0 && options->clip_value > 0.0)
        return DCNN_FAIL(DCNN_USAGE, "--clip-norm and --clip-value: give only one of them");
    return DCNN_OK;
}

/* A range that nothing reads. */
static dcnn_status check_augmentation(const dcnn_options *options) {
    for (int row = 0; row < DCNN_AUGMENT_COUNT; row++) {
        const dcnn_augment_row *about = &dcnn_augment_table[row];
        if (!is_given(options, about->option)) continue;
        if (!options->train.augment)
            return DCNN_FAIL(DCNN_USAGE, "--%s says how to augment and --no-augment says not to: give only one of them",
                             about->option);
        if (!about->alone && dcnn_augment_value(&options->train.ranges, row - 1) == 0)
            return DCNN_FAIL(DCNN_USAGE, "--%s is for --%s: give that too", about->option,
                             dcnn_augment_table[row - 1].option);
        if (about->in_pairs && dcnn_augment_value(&options->train.ranges, row) > 0 && options->train.grain == 1)
            return DCNN_FAIL(DCNN_USAGE, "--%s takes another image of the same grain, and with --grain 1 there is none",
                             about->option);
        if (about->in_pairs && dcnn_augment_value(&options->train.ranges, row) > 0 && options->train.batch_size == 1)
            return DCNN_FAIL(DCNN_USAGE,
                             "--%s takes another image of the same batch, and with --batch-size 1 there is none",
                             about->option);
    }
    return DCNN_OK;
}

/* Either mends what the other one would mend again. */
static dcnn_status check_balance(const dcnn_options *options) {
    if (!options->train.oversample || !options->train.class_weight ||
        strcmp(options->train.class_weight, dcnn_weights_balanced) != 0)
        return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "--oversample and --class-weight balanced both balance the classes: give only one of them");
}

/* What belongs together. */
static dcnn_status check_schedule(const dcnn_options *options) {
    const dcnn_schedule_kind kind = dcnn_train_settings_schedule(options).kind;
    dcnn_schedule read;
    dcnn_plateau plateau;
    if (options->keras_warmup && options->warmup == 0.0)
        return DCNN_FAIL(DCNN_USAGE, "--keras-warmup is for --warmup: give that too");
    if (options->ema_overwrite > 0 && options->ema == 0.0)
        return DCNN_FAIL(DCNN_USAGE, "--ema-overwrite is for --ema: give that too");
    if (kind == DCNN_SCHEDULE_PIECEWISE && options->pieces == NULL)
        return DCNN_FAIL(DCNN_USAGE, "--schedule piecewise takes --pieces: which factor from which epoch on, as "
                                     "8=0.1,12=0.01");
    if (kind == DCNN_SCHEDULE_PLATEAU && options->decay_rate >= 1.0)
        return DCNN_FAIL(DCNN_USAGE, "--schedule plateau lowers the rate: --decay-rate must be below 1");
    DCNN_TRY(dcnn_plateau_read(options->plateau, &plateau));
    return options->pieces ? dcnn_schedule_read_pieces(options->pieces, &read) : DCNN_OK;
}

dcnn_status dcnn_train_settings_check(const dcnn_options *options) {
    DCNN_TRY(check_balance(options));
    DCNN_TRY(check_augmentation(options));
    DCNN_TRY(check_readers(options));
    DCNN_TRY(check_schedule(options));
    if (options->warmup > 0.0 && dcnn_train_settings_schedule(options).kind == DCNN_SCHEDULE_ONE_CYCLE)
        return DCNN_FAIL(DCNN_USAGE, "--warmup %g: the schedule one-cycle has a warm-up of its own; leave out --warmup",
                         options->warmup);
    if (options->warmup >= (double)options->train.epochs && options->warmup > 0.0)
        return DCNN_FAIL(DCNN_USAGE, "--warmup %g leaves nothing of %" PRId64 " epoch%s: it must be below --epochs",
                         options->warmup, options->train.epochs, options->train.epochs == 1 ? "" : "s");
    return DCNN_OK;
}

/* --- what a run does with it -------------------------------------------------------------------------------------- */

static int64_t grain_of(const dcnn_options *options, int64_t batch) {
    return is_given(options, "grain") && options->train.grain > 0 ? options->train.grain : dcnn_engine_grain(batch);
}

/* The smallest larger batch that is so many whole grains, or more. */
static int64_t batch_of(const dcnn_options *options, int64_t grains) {
    int64_t batch = options->train.batch_size + 1;
    while (batch % grain_of(options, batch) != 0 || batch / grain_of(options, batch) < grains) batch++;
    return batch;
}

/* The largest smaller grain, down to 4, that makes so many of the batch; 0: none. */
static int64_t smaller_grain(const dcnn_options *options, int64_t grains) {
    int64_t grain = 4;
    if (options->train.batch_size < grains * grain) return 0;
    while (options->train.batch_size >= 2 * grain * grains) grain *= 2;
    return grain;
}

bool dcnn_train_settings_idle(const dcnn_options *options, int64_t ranks, int64_t threads, char text[512]) {
    const int64_t grain = grain_of(options, options->train.batch_size);
    const int64_t grains = (options->train.batch_size + grain - 1) / grain;
    const int64_t most = (grains + ranks - 1) / ranks; /* that one rank has */
    const bool of_ranks = ranks > grains;
    const int64_t idle = of_ranks ? ranks - grains : threads - most, all = of_ranks ? ranks : threads;
    const int64_t smaller = smaller_grain(options, ranks * threads);
    char grain_text[96] = "";
    if (idle <= 0) return false;
    if (smaller > 0)
        snprintf(grain_text, sizeof grain_text,
                 "; so does --grain %" PRId64 ", but the last bits of the result then differ", smaller);
    snprintf(text, 512,
             "--batch-size %" PRId64 " is %" PRId64 " grain%s of %" PRId64
             " images, each computed by one thread: %" PRId64 " of %s%" PRId64 " %s %s idle; --batch-size %" PRId64
             " gives all of them work (--lr-scale sqrt adapts the "
             "learning rate)%s",
             options->train.batch_size, grains, grains == 1 ? "" : "s", grain, idle,
             of_ranks || ranks == 1 ? "" : "each rank's ", all, of_ranks ? "ranks" : "threads",
             idle == 1 ? "is" : "are", batch_of(options, ranks * threads), grain_text);
    return true;
}

int64_t dcnn_train_settings_more_epochs(int64_t done) {
    enum { RECIPE_EPOCHS = 15 };
    return done < RECIPE_EPOCHS ? RECIPE_EPOCHS : 2 * done;
}

bool dcnn_train_settings_rate_moves(const dcnn_options *options, const dcnn_checkpoint *from, int64_t samples,
                                    char text[512]) {
    const dcnn_schedule schedule = dcnn_train_settings_schedule(options);
    const int64_t before = json_integer_value(json_object_get(from->options, "epochs"));
    const int64_t epoch_steps = (samples + step_samples(options) - 1) / step_samples(options),
                  step = from->progress.step;
    if (before <= 0 || before == options->train.epochs || step < 1) return false;
    const double rate = dcnn_train_settings_optimizer(options).learning_rate;
    const double old = dcnn_schedule_rate(&schedule, rate, step - 1, before, epoch_steps);
    const double stayed = dcnn_schedule_rate(&schedule, rate, step, before, epoch_steps);
    const double now = dcnn_schedule_rate(&schedule, rate, step, options->train.epochs, epoch_steps);
    if (now == stayed) return false;
    snprintf(text, 512,
             "--epochs %" PRId64 " instead of %" PRId64
             " changes the %s schedule: the learning rate continues at %.3g, after "
             "%.3g in the last step",
             options->train.epochs, before, dcnn_schedule_names[schedule.kind], now, old);
    return true;
}

const char *dcnn_train_settings_text(const dcnn_options *options, char text[512]) {
    const dcnn_schedule schedule = dcnn_train_settings_schedule(options);
    char scaled[64] = "", warmup[64] = "", batches[112] = "", decay[48] = "";
    dcnn_number number;
    if (strcmp(options->lr_scale, "none") != 0)
        snprintf(scaled, sizeof scaled, " (%g x %.4g, %s)", options->learning_rate, rate_factor(options),
                 options->lr_scale);
    if (options->weight_decay > 0.0) snprintf(decay, sizeof decay, ", weight decay %g", options->weight_decay);
    if (options->warmup > 0.0)
        snprintf(warmup, sizeof warmup, " after a warm-up of %g epoch%s", options->warmup,
                 options->warmup == 1.0 ? "" : "s");
    if (options->train.accumulate > 1)
        snprintf(batches, sizeof batches,
                 " in %" PRId64 " micro-batches, each with its own BatchNormalization statistics",
                 options->train.accumulate);
    snprintf(text, 512, "%s samples%s; %s, learning rate %.4g%s, %s%s%s",
             dcnn_number_text(step_samples(options), &number), batches, options->optimizer,
             options->learning_rate * rate_factor(options), scaled, dcnn_schedule_names[schedule.kind], warmup, decay);
    return text;
}
