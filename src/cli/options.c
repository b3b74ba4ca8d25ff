/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c — the table of options, and what follows from a row: its default, its record. */
#include "cli/options.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/runs/space.h"
#include "cli/settings/recipes.h"
#include "nn/loss.h"
#include "run/stopping.h"
#include "sources/images/image.h"

#define AT(field) offsetof(dcnn_options, field)

#define AS_TEXT(number)    #number
#define DEFAULT_OF(number) AS_TEXT(number)

#define BIT(ID, name) ID = 1 << DCNN_COMMAND_##ID,
enum { DCNN_COMMANDS(BIT) EVERY = (1 << DCNN_COMMAND_COUNT) - 1 };
#undef BIT
#define TRAIN (TRAIN | SLURM | TUNE) /* a job is a training, a search is many: they take all that one takes */

/* How each type of row is written; the rows themselves say only what is their own. */
#define FLAG(at)              .type = DCNN_OPTION_FLAG, .offset = AT(at)
#define TEXT(at, meta)        .type = DCNN_OPTION_TEXT, .offset = AT(at), .metavar = meta
#define LIST(at, meta)        .type = DCNN_OPTION_LIST, .offset = AT(at), .metavar = meta
#define INTEGER(at, from, to) .type = DCNN_OPTION_INTEGER, .offset = AT(at), .low = (from), .high = (to), .metavar = "N"
#define REAL(at, from, to, ends)                                                                                       \
    .type = DCNN_OPTION_REAL, .offset = AT(at), .low = (from), .high = (to), .bounds = (ends), .metavar = "X"
#define SEED(at)  .type = DCNN_OPTION_SEED, .offset = AT(at), .metavar = "N"
#define BYTES(at) .type = DCNN_OPTION_BYTES, .offset = AT(at), .metavar = "SIZE"
#define SHAPE(at) .type = DCNN_OPTION_SHAPE, .offset = AT(at), .metavar = "HxWxC"
#define SIZE(at)  .type = DCNN_OPTION_SHAPE, .offset = AT(at), .metavar = "HxW"
/* The words of a list, X(ID, word, …): " adam sgd lars", ", constant, cosine"; the first bytes are skipped where
 * nothing stands before them. */
#define FIRST(word, ...)        word
#define WORD(id, ...)           " " FIRST(__VA_ARGS__, 0)
#define COMMA_WORD(id, ...)     ", " FIRST(__VA_ARGS__, 0)
#define WORDS(list)             (&(list(WORD))[1])
#define COMMA_WORDS(list, end)  (&(list(COMMA_WORD) end)[2])
#define CHOICE(at, words, meta) .type = DCNN_OPTION_CHOICE, .offset = AT(at), .choices = (words), .metavar = (meta)

/* The rows of the table of changes: those that suit the recipe are the defaults. */
#define AUGMENT(type, field, option, recipe, photos, from, to, ends, function, what)                                   \
    {option,                                                                                                           \
     0,                                                                                                                \
     TRAIN,                                                                                                            \
     AUGMENT_##type(train.ranges.field, from, to, DCNN_##ends),                                                        \
     .fallback = recipe,                                                                                               \
     .group = augmentation,                                                                                            \
     .phase = true,                                                                                                    \
     .help = what,                                                                                                     \
     .resume = DCNN_RESUME_FIXED},
#define AUGMENT_double(at, from, to, ends)  REAL(at, from, to, ends)
#define AUGMENT_int64_t(at, from, to, ends) INTEGER(at, from, to), .bounds = (ends)

static const char run_group[] = "Run", training[] = "Training", optimizing[] = "Optimizer",
                  augmentation[] = "Augmentation of the training images", machine[] = "Machine", job[] = "Job",
                  searching[] = "Search", expert[] = "For experts", data[] = "Data", reading[] = "Reading images",
                  output[] = "Output", messages[] = "Messages";

/* clang-format off: one row an option */
const dcnn_option dcnn_option_table[] = {
    {"nodes", 0, SLURM, TEXT(nodes, "N"), .group = job, .help = "how many, or a range: 1-4"},
    {"time", 0, SLURM, TEXT(time, "T"), .group = job, .help = "time limit of the job: minutes, H:M:S, D-H:M:S"},
    {"ranks-per-node", 0, SLURM, INTEGER(ranks_per_node, 1, 4096), .fallback = "4", .group = job,
     .help = "each with --threads threads, 1 by default"},
    {"launcher", 0, SLURM, CHOICE(launcher, "auto mpirun srun", "NAME"), .fallback = "auto", .group = job,
     .help = "mpirun, srun (Slurm's PMIx); auto: what the node has"},
    {"mem", 0, SLURM, TEXT(mem, "SIZE"), .group = job, .help = "of a node, as 8G [the cluster's default]"},
    {"constraint", 0, SLURM, TEXT(constraint, "WHAT"), .group = job, .help = "nodes with these features only"},
    {"mail", 0, SLURM, TEXT(mail, "ADDRESS"), .group = job, .help = "told of the job's end, failure and restart"},
    {"partition", 0, SLURM, TEXT(partition, "NAME"), .group = job, .help = "where to queue [the cluster's default]"},
    {"account", 0, SLURM, TEXT(account, "NAME"), .group = job, .help = "account to charge [yours]"},
    {"job-name", 0, SLURM, TEXT(job_name, "NAME"), .fallback = "dcnn", .group = job,
     .help = "in the queue and of the output file [dcnn]"},

    {"run", 0, DOCTOR, TEXT(run, "DIR"), .group = run_group, .help = "its file system is looked at [runs]"},
    {"search", 0, TUNE, CHOICE(search, "auto" DCNN_SEARCHES(WORD), "NAME"), .fallback = "auto", .group = searching,
     .help = "grid, random, or halving: many short trials, the best third longer; auto: grid of lists, else random"},
    {"trials", 0, TUNE, INTEGER(trials, 1, 10000), .fallback = "16", .group = searching,
     .help = "of random and halving"},
    {"space", 0, TUNE, TEXT(space, "FILE"), .group = searching, .help = "lines NAME=VALUES, besides those named here"},

    {"run", 0, TRAIN, TEXT(run, "DIR"), .group = run_group, .help = "folder of the run [runs/NAME of the data]"},
    {"resume", 0, TRAIN, FLAG(resume), .group = run_group, .help = "go on from the newest whole checkpoint, if any"},
    {"overwrite", 0, TRAIN, FLAG(overwrite), .group = run_group, .help = "remove an older run from DIR first"},

    {"recipe", 0, TRAIN | BENCH, CHOICE(recipe, WORDS(DCNN_RECIPES), "NAME"), .group = training,
     .help = &(DCNN_RECIPES(WORD) " [recipe]")[1], .resume = DCNN_RESUME_FIXED},
    {"ensemble", 0, TRAIN, INTEGER(ensemble, 0, 16), .fallback = "0", .group = training,
     .help = "train N networks side by side", .resume = DCNN_RESUME_FIXED},
    {"model", 0, TRAIN | BENCH, TEXT(train.model, "FILE"), .group = training,
     .help = "Keras JSON, .keras, .h5 or .onnx [recipe's net]", .also = "net network arch weights",
     .resume = DCNN_RESUME_KEEP},
    {"weights", 0, TRAIN, TEXT(train.weights, "FILE"), .group = training,
     .help = "for a JSON --model: .weights.h5, .safetensors", .resume = DCNN_RESUME_KEEP},
    {"freeze", 0, TRAIN | INFO, LIST(freeze, "LAYER"), .group = training,
     .help = "keep its weights ('conv*,bn*'); may be repeated", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"unfreeze", 0, TRAIN | INFO, LIST(unfreeze, "LAYER"), .group = training,
     .help = "train it, whatever the model says", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"freeze-below", 0, TRAIN | INFO, TEXT(train.freeze_below, "LAYER"), .group = training,
     .help = "keep the weights of all layers before it", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"train-last", 0, TRAIN | INFO, INTEGER(train.train_last, 0, 1000000), .fallback = "0", .group = training,
     .help = "the last N with weights; 0: all", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"keep-features", 0, TRAIN, FLAG(train.keep_features), .fallback = "true", .group = training,
     .help = "frozen layers once an image, if unaugmented", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"feature-variants", 0, TRAIN, INTEGER(train.feature_variants, 0, 10000), .fallback = "0", .group = training,
     .help = "of an augmented image; 0: anew", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"replace-head", 0, TRAIN | INFO, FLAG(train.replace_head), .group = training,
     .help = "of --model: a new last layer for the data's classes", .resume = DCNN_RESUME_FIXED},
    {"then", 0, TRAIN, LIST(then, "'NAME=X ...'"), .group = training, .help = "a next phase, by options without --",
     .resume = DCNN_RESUME_FIXED},
    {"epochs", 0, TRAIN, INTEGER(train.epochs, 1, 1000000), .fallback = "15", .group = training,
     .help = "passes over the training split", .also = "num-epochs max-epochs", .phase = true,
     .resume = DCNN_RESUME_KEEP},
    {"batch-size", 0, TRAIN | BENCH | INFO, INTEGER(train.batch_size, 1, 1048576), .fallback = "128", .group = training,
     .help = "samples per step, over all ranks", .also = "batch bs batchsize", .phase = true,
     .resume = DCNN_RESUME_FIXED},
    {"accumulate", 0, TRAIN, INTEGER(train.accumulate, 1, 1000000000), .fallback = "1", .group = training,
     .help = "batches that form one step", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"patience", 0, TRAIN, INTEGER(train.patience, 0, 1000000), .fallback = "0", .group = training,
     .help = "stop N epochs after the best", .phase = true, .resume = DCNN_RESUME_KEEP},
    {"loss", 0, TRAIN, CHOICE(train.loss, "auto" DCNN_LOSSES(WORD), "NAME"), .fallback = "auto", .group = training,
     .help = "Keras' name [the model's, or by the data]", .also = "criterion loss-function objective",
     .resume = DCNN_RESUME_FIXED},
    {"monitor", 0, TRAIN, CHOICE(monitor, WORDS(DCNN_MONITORS), "NAME"), .fallback = "auto", .group = training,
     .help = "for best.h5 [val_accuracy; numbers: val_loss]", .resume = DCNN_RESUME_FIXED},
    {"class-weight", 0, TRAIN, TEXT(train.class_weight, "WHAT"), .group = training,
     .help = "of losses: balanced, or a FILE of class,weight", .resume = DCNN_RESUME_FIXED},
    {"oversample", 0, TRAIN, FLAG(train.oversample), .group = training,
     .help = "draw each class as often as the largest one", .resume = DCNN_RESUME_FIXED},
    {"label-smoothing", 0, TRAIN, REAL(train.label_smoothing, 0, 1, DCNN_OPEN_HIGH), .fallback = "0", .group = training,
     .help = "part spread over all classes", .resume = DCNN_RESUME_FIXED},
    {"huber-delta", 0, TRAIN, REAL(train.huber_delta, 0, 1000, DCNN_CLOSED), .fallback = "0", .group = training,
     .help = "of huber; 0: the model's own, or 1", .resume = DCNN_RESUME_FIXED},
    {"exact-statistics", 0, TRAIN, FLAG(train.exact_statistics), .group = training,
     .help = "of BatchNormalization, from clean images", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"bn-momentum", 0, TRAIN, REAL(train.bn_momentum, 0, 1, DCNN_OPEN_HIGH), .fallback = "0", .group = training,
     .help = "0: the model's own", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"precision", 0, TRAIN | BENCH, CHOICE(train.precision, "fp32 bf16", "NAME"), .group = training,
     .help = "of products; bf16: mixed, AMX [the model's, fp32]", .resume = DCNN_RESUME_FIXED},
    {"seed", 0, TRAIN, SEED(train.seed), .fallback = "42", .group = training, .help = "of weights, order, augmentation",
     .resume = DCNN_RESUME_FIXED},

    {"shuffle", 0, TRAIN, CHOICE(shuffle, WORDS(DCNN_SHUFFLES), "NAME"), .fallback = "auto", .group = training,
     .help = "full; above 8 GiB of images: chunks", .resume = DCNN_RESUME_FIXED},

    {"optimizer", 0, TRAIN, CHOICE(optimizer, WORDS(DCNN_OPTIMIZERS), "NAME"), .fallback = "adam", .group = optimizing,
     .help = WORDS(DCNN_OPTIMIZERS), .phase = true, .resume = DCNN_RESUME_FIXED},
    {"learning-rate", 0, TRAIN, REAL(learning_rate, 0, 100, DCNN_OPEN_LOW), .fallback = "0.001", .group = optimizing,
     .help = "step; {rates}", .also = "lr rate", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"learning-rate-of", 0, TRAIN, LIST(learning_rate_of, "LAYER=X"), .group = optimizing,
     .help = "its rate times X; may be repeated", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"lr-scale", 0, TRAIN, CHOICE(lr_scale, WORDS(DCNN_RATE_SCALES), "NAME"), .fallback = "none", .group = optimizing,
     .help = COMMA_WORDS(DCNN_RATE_SCALES, " in samples per step / 128"), .phase = true, .resume = DCNN_RESUME_FIXED},
    {"warmup", 0, TRAIN, REAL(warmup, 0, 1000000000, DCNN_CLOSED), .fallback = "0", .group = optimizing,
     .help = "epochs in which the rate rises", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"schedule", 0, TRAIN, CHOICE(schedule, "auto" DCNN_SCHEDULES(WORD), "NAME"), .fallback = "auto",
     .group = optimizing, .also = "scheduler lr-schedule lr-scheduler",
     .help = COMMA_WORDS(DCNN_SCHEDULES, "; auto: cosine, or constant without augmentation"), .phase = true,
     .resume = DCNN_RESUME_FIXED},
    {"decay-rate", 0, TRAIN, REAL(decay_rate, 0, 1, DCNN_OPEN_LOW), .fallback = "0.1", .group = optimizing,
     .help = "{readers}: times this", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"decay-epochs", 0, TRAIN, REAL(decay_epochs, 0, 1000, DCNN_OPEN_LOW), .fallback = "5", .group = optimizing,
     .help = "... every X epochs; restarts: epochs of the first cycle", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"decay-power", 0, TRAIN, REAL(decay_power, 0, 10, DCNN_OPEN_LOW), .fallback = "1", .group = optimizing,
     .help = "of {readers}: 2 for a square", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"pieces", 0, TRAIN, TEXT(pieces, "E=X,..."), .group = optimizing,
     .help = "{readers}: times X from epoch E on; 8=0.1,12=0.01", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"plateau", 0, TRAIN, TEXT(plateau, "KEY=X,..."), .group = optimizing,
     .help = "patience=10, min-delta=1e-4, cooldown=0, min-rate=0, monitor=val_loss", .phase = true,
     .resume = DCNN_RESUME_FIXED},
    {"keras-warmup", 0, TRAIN, FLAG(keras_warmup), .group = optimizing,
     .help = "--warmup from 0, as Keras' CosineDecay", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"weight-decay", 0, TRAIN, REAL(weight_decay, 0, 1, DCNN_CLOSED), .fallback = "0", .group = optimizing,
     .help = "of kernels only", .also = "wd l2", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"undecayed", 0, TRAIN, LIST(undecayed, "WORD"), .group = optimizing,
     .help = "no weight decay of names with it [bias, gamma, beta]", .also = "exclude-from-weight-decay no-decay",
     .phase = true, .resume = DCNN_RESUME_FIXED},
    {"momentum", 0, TRAIN, REAL(momentum, 0, 1, DCNN_OPEN_HIGH), .fallback = "0.9", .group = optimizing,
     .help = "of {readers}", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"nesterov", 0, TRAIN, FLAG(nesterov), .group = optimizing, .help = "{readers}: Nesterov momentum", .phase = true,
     .resume = DCNN_RESUME_FIXED},
    {"clip-norm", 0, TRAIN, REAL(clip_norm, 0, 1000000, DCNN_CLOSED), .fallback = "0", .group = optimizing,
     .help = "longest whole gradient; 0: any", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"clip-value", 0, TRAIN, REAL(clip_value, 0, 1000000, DCNN_CLOSED), .fallback = "0", .group = optimizing,
     .help = "largest single gradient; 0: any", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"ema", 0, TRAIN, REAL(ema, 0, 1, DCNN_OPEN_HIGH), .fallback = "0", .group = optimizing,
     .help = "momentum of averaged weights", .also = "use-ema ema-momentum swa", .phase = true,
     .resume = DCNN_RESUME_FIXED},
    {"ema-overwrite", 0, TRAIN, INTEGER(ema_overwrite, 0, 1000000000), .fallback = "0", .group = optimizing,
     .help = "... as weights every N steps", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"trust-coefficient", 0, TRAIN, REAL(trust_coefficient, 0, 1, DCNN_OPEN_LOW), .fallback = "0.001",
     .group = optimizing, .help = "of {readers}", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"beta-1", 0, TRAIN, REAL(beta_1, 0, 1, DCNN_OPEN_HIGH), .fallback = "0.9", .group = optimizing,
     .help = "{readers}: decay of mean gradients", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"beta-2", 0, TRAIN, REAL(beta_2, 0, 1, DCNN_OPEN_HIGH), .fallback = "0.999", .group = optimizing,
     .help = "... and of their squares; rmsprop's rho", .phase = true, .resume = DCNN_RESUME_FIXED},
    {"epsilon", 0, TRAIN, REAL(epsilon, 0, 1, DCNN_OPEN_LOW), .fallback = "1e-7", .group = optimizing,
     .help = "keeps them from division by 0", .phase = true, .resume = DCNN_RESUME_FIXED},

    {"augment", 0, TRAIN | BENCH, FLAG(train.augment), .fallback = "true", .group = augmentation,
     .help = "change them at random, afresh each epoch", .phase = true, .resume = DCNN_RESUME_FIXED},
    DCNN_AUGMENT_LIST(AUGMENT)

        {"checkpoint-every", 0, TRAIN, INTEGER(train.checkpoint_every, 0, 1000000000), .fallback = "0", .group = output,
         .help = "steps; 0: at each epoch's end", .resume = DCNN_RESUME_KEEP},
    {"keep", 0, TRAIN, INTEGER(train.keep, 1, 1000000), .fallback = "2", .group = output,
     .help = "newest checkpoints to keep", .resume = DCNN_RESUME_KEEP},

    {"scale", 0, TRAIN | EVALUATE | PREDICT | EXPORT, REAL(train.input.scale, 0, 1000, DCNN_CLOSED), .fallback = "0",
     .group = data, .help = "(byte x X - mean) / std [model's]", .resume = DCNN_RESUME_FIXED},
    {"mean", 0, TRAIN | EVALUATE | PREDICT | EXPORT, TEXT(train.input.mean, "X,.."), .group = data,
     .help = "... of x / 255, one or one a channel", .resume = DCNN_RESUME_FIXED},
    {"std", 0, TRAIN | EVALUATE | PREDICT | EXPORT, TEXT(train.input.std, "X,.."), .group = data,
     .help = "... its deviation, likewise", .resume = DCNN_RESUME_FIXED},
    {"channel-order", 0, TRAIN | EVALUATE | PREDICT | EXPORT, CHOICE(train.input.order, "auto rgb bgr", "NAME"),
     .fallback = "auto", .group = data, .help = "of colours in the input [the model's]", .also = "bgr channels-order",
     .resume = DCNN_RESUME_FIXED},

    {"limit", 0, PREPARE, INTEGER(limit, 0, 1000000000), .fallback = "0", .group = data,
     .help = "images to split, a share of each class; 0: all"},
    {"test-split", 0, PREPARE, REAL(test_split, 0, 1, DCNN_OPEN_HIGH), .fallback = "0.1", .group = data,
     .help = "fraction of all", .also = "test-size"},
    {"validation-split", 0, PREPARE, REAL(validation_split, 0, 1, DCNN_OPEN_HIGH), .fallback = "0.2", .group = data,
     .help = "fraction of what is left", .also = "val-split valid-split val-size"},
    {"official", 0, PREPARE, FLAG(official), .group = data,
     .help = "all training images to train, the source's test images to test"},
    {"stratify", 0, PREPARE, FLAG(stratify), .group = data,
     .help = "split class by class, as folders and tables are anyway (or --no-stratify)"},
    {"test", 0, PREPARE, LIST(test, "FILE"), .group = data, .help = "a source kept for the test; may be repeated"},
    {"validation", 0, PREPARE, LIST(validation, "FILE"), .group = data,
     .help = "a source kept for validation; may be repeated"},
    {"seed", 0, PREPARE, SEED(seed), .fallback = "42", .group = data, .help = "of the splits"},
    {"shape", 0, PREPARE, SHAPE(shape), .group = reading, .help = "of a table's line [square, grey or in colour]"},
    {"label-column", 0, PREPARE, TEXT(label_column, "NAME"), .group = reading,
     .help = "of a table: a name, a number, first, last"},
    {"target-columns", 0, PREPARE, TEXT(target_columns, "NAME,.."), .group = reading,
     .help = "numbers to predict: a table's columns, an array's, or all", .also = "targets regression"},
    {"scale", 0, PREPARE, REAL(scale, 0, 1000000, DCNN_OPEN_LOW), .group = reading,
     .help = "multiplies each number of a table or array: 255 if from 0 to 1"},
    {"transpose", 0, PREPARE, FLAG(transpose), .group = reading, .help = "swap rows and columns (EMNIST)"},
    {"size", 0, PREPARE, SIZE(size), .group = reading, .help = "to which all images are resized"},
    {"fit", 0, PREPARE | PREDICT, CHOICE(fit, WORDS(DCNN_FITS), "NAME"), .fallback = "crop", .group = reading,
     .help = "if its shape differs:" DCNN_FITS(WORD)},
    {"gray", 0, PREPARE, FLAG(gray), .group = reading, .help = "grey images, whatever they were",
     .also = "grey grayscale"},
    {"background", 0, PREPARE | PREDICT, TEXT(background, "COLOR"), .group = reading,
     .help = "under transparent images and beside padded ones: black, white, gray, #rrggbb [black]"},
    {"skip-broken", 0, PREPARE, FLAG(skip_broken), .group = reading,
     .help = "leave broken images, and lines of tables, out"},
    {"split", 0, EVALUATE, TEXT(split, "NAME"), .fallback = "test", .group = data,
     .help = "train, validation, test or official-test [test]"},
    {"split", 0, PREDICT, TEXT(split, "NAME"), .group = data,
     .help = "which split of a data set; the index counts in it"},
    {"tta", 0, EVALUATE | PREDICT, INTEGER(views, 0, 1000), .fallback = "0", .group = data,
     .help = "average over N views of each image: itself, others changed"},
    {"index", 0, SHOW, INTEGER(index, 0, 1000000000000.0), .fallback = "0", .group = data,
     .help = "which sample of the split, from 0"},
    {"split", 0, SHOW, TEXT(split, "NAME"), .group = data, .help = "train, validation, test, ... [all of the file]"},
    {"shape", 0, PREDICT, SHAPE(shape), .group = data, .help = "of a CSV line's image [the model's]"},

    {"resize", 0, PREDICT, FLAG(resize), .fallback = "true", .group = data,
     .help = "resize images of any size to the model's"},
    {"invert", 0, PREDICT, FLAG(invert), .group = data, .help = "swap light and dark: for dark ink on white paper"},

    {"output", 'o', PREPARE, TEXT(output, "FILE"), .group = output, .help = "the data set to write"},
    {"force", 0, PREPARE, FLAG(force), .group = output, .help = "replace FILE if it exists"},
    {"output", 'o', EXPORT, TEXT(output, "FILE"), .group = output,
     .help = "ends in .keras, .h5, .weights.h5, .onnx or .safetensors"},
    {"raw-input", 0, EXPORT, FLAG(raw_input), .group = output,
     .help = "a model of bytes from 0 to 255 (uint8 in .onnx, floats in .keras and .h5): a layer in front "
             "standardises them"},
    {"force", 0, EXPORT, FLAG(force), .group = output, .help = "replace FILE if it exists"},
    {"output", 'o', PREDICT, TEXT(output, "FILE"), .group = output, .help = "where the CSV goes [standard output]"},
    {"force", 0, PREDICT, FLAG(force), .group = output, .help = "replace FILE even if it is no earlier CSV of these"},
    {"format", 0, PREDICT, CHOICE(format, "csv kaggle", "NAME"), .fallback = "csv", .group = output,
     .help = "kaggle: id and label"},
    {"header", 0, PREDICT, TEXT(header, "NAMES"), .fallback = "ImageId,Label", .group = output,
     .help = "first line of --format kaggle, as in its sample_submission"},
    {"json", 0, EVALUATE | INFO | BENCH | DOCTOR, FLAG(json), .group = output,
     .help = "for programs: JSON instead of text"},

    {"split", 0, COMPARE, TEXT(split, "NAME"), .group = data,
     .help = "to compare predictions on [test, if there is one]"},
    {"output", 'o', COMPARE, TEXT(output, "FILE"), .group = output, .help = "a figure of the runs, .png or .svg"},
    {"force", 0, COMPARE, FLAG(force), .group = output, .help = "replace FILE if it exists"},
    {"split", 0, REPORT, TEXT(split, "NAME"), .group = data, .help = "to show predictions on [test, if there is one]"},
    {"report", 0, TRAIN, FLAG(report), .fallback = "true", .group = output,
     .help = "draw figures and a page at the end", .resume = DCNN_RESUME_KEEP},
    {"tensorboard", 0, TRAIN | REPORT, FLAG(tensorboard), .fallback = "true", .group = output,
     .help = "write an event file", .resume = DCNN_RESUME_KEEP},
    {"log-every", 0, TRAIN, INTEGER(train.log_every, 0, 1000000000), .fallback = "50", .group = output,
     .help = "log one batch in N; 0: none", .resume = DCNN_RESUME_KEEP},
    {"histograms", 0, TRAIN, FLAG(train.histograms), .group = output, .help = "of weights and gradients, each epoch",
     .resume = DCNN_RESUME_KEEP},

    {"threads", 0, PREPARE | TRAIN | EVALUATE | PREDICT | REPORT | COMPARE | BENCH | INFO,
     INTEGER(train.threads, 0, 4096), .fallback = "0", .group = machine, .help = "per rank; 0: one per core",
     .also = "workers num-workers jobs cores"},

    {"recompute", 0, TRAIN | BENCH | INFO, FLAG(train.recompute), .group = machine,
     .help = "less memory: compute activations twice", .resume = DCNN_RESUME_KEEP},
    {"cache-memory", 0, TRAIN | EVALUATE | PREDICT | REPORT | COMPARE, BYTES(train.cache_bytes), .group = machine,
     .help = "per node, for images (512M); more is streamed"},

    {"elastic", 0, TRAIN, FLAG(train.elastic), .group = machine,
     .help = "go on when a rank dies: mpirun --with-ft ulfm"},
    {"timeout", 0, TRAIN, INTEGER(timeout, 0, 86400), .fallback = "60", .group = machine,
     .help = "seconds a rank may hang; 0: forever"},
    {"end-margin", 0, TRAIN, INTEGER(train.end_margin_s, 0, 86400), .fallback = "60", .group = machine,
     .help = "stop N s before a Slurm job's end"},

    {"seconds", 0, BENCH, REAL(seconds, 0, 86400, DCNN_OPEN_LOW), .fallback = "8", .group = machine,
     .help = "about how long to measure"},
    {"comm", 0, BENCH, FLAG(comm), .group = machine, .help = "measure the reductions over all ranks instead"},
    {"grain", 0, TRAIN | BENCH, INTEGER(train.grain, 0, 4096), .fallback = "0", .group = expert,
     .help = "samples at a time; 0: by batch size", .resume = DCNN_RESUME_FIXED},
    {"fuse", 0, TRAIN | BENCH, FLAG(train.fuse), .fallback = "true", .group = expert,
     .help = "use fused kernels where there are any", .resume = DCNN_RESUME_FIXED},
    {"plain-sums", 0, TRAIN | BENCH, FLAG(train.plain_sums), .group = expert,
     .help = "add in MPI's own order, to see what exactness costs"},
    {"trace", 0, TRAIN, TEXT(train.trace, "FILE"), .group = expert,
     .help = "what each rank did in three steps, for Perfetto"},
    {"stop-after", 0, TRAIN, INTEGER(train.stop_after, 0, 1000000000), .fallback = "0", .group = expert,
     .help = "stop after N steps, as by a signal"},

    {"verbose", 'v', EVERY, FLAG(verbose), .group = messages, .help = "say more"},
    {"quiet", 'q', EVERY, FLAG(quiet), .group = messages, .help = "only results, warnings and errors"},
    {"help", 'h', EVERY, FLAG(help), .group = messages, .help = "this text"},
};
/* clang-format on */
const int dcnn_option_count = (int)(sizeof dcnn_option_table / sizeof dcnn_option_table[0]);
static_assert(sizeof dcnn_option_table / sizeof dcnn_option_table[0] <= DCNN_MAX_OPTIONS,
              "dcnn_options.given is short");

static bool has_option(dcnn_command_id command, const dcnn_option *option) {
    return (option->commands >> command & 1) != 0;
}

const dcnn_option *dcnn_option_find(dcnn_command_id command, const char *name) {
    for (int i = 0; i < dcnn_option_count; i++)
        if (has_option(command, &dcnn_option_table[i]) && strcmp(dcnn_option_table[i].name, name) == 0)
            return &dcnn_option_table[i];
    return NULL;
}

bool dcnn_option_given(dcnn_command_id command, const char *name, const dcnn_options *options) {
    const dcnn_option *option = dcnn_option_find(command, name);
    return option && options->given[option - dcnn_option_table];
}

void dcnn_options_default(dcnn_command_id command, dcnn_options *options) {
    *options = (dcnn_options){0};
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *option = &dcnn_option_table[i];
        if (has_option(command, option) && option->fallback) dcnn_option_set(option, option->fallback, options);
    }
}

/* --- readers ---------------------------------------------------------------------------------------------------- */

#define OPTIMIZER(id, name, keras, rate, beta2, momentum, decay, options, ...) {name, options, rate},
#define SCHEDULE(id, name, options)                                            {name, options, 0.0},
static const struct reader {
    const char *name, *options;
    double rate;
} readers[DCNN_READER_COUNT][16] = {{DCNN_OPTIMIZERS(OPTIMIZER)}, {DCNN_SCHEDULES(SCHEDULE)}};

static bool names_option(const struct reader *reader, const char *option) {
    char word[32];
    snprintf(word, sizeof word, " %s ", option);
    return strstr(reader->options, word) != NULL;
}

bool dcnn_option_reads(dcnn_option_reader by, const char *name, const char *option) {
    bool all = true, this = false;
    for (const struct reader *reader = readers[by]; reader->name; reader++) {
        const bool reads = names_option(reader, option);
        all = all && !reads;
        this = this || (reads && strcmp(reader->name, name) == 0);
    }
    return all || this;
}

const char *dcnn_option_readers(dcnn_option_reader by, const char *option, const char *word, char text[160]) {
    int left = 0, used = 0;
    text[0] = '\0';
    for (const struct reader *reader = readers[by]; reader->name; reader++) left += names_option(reader, option);
    for (const struct reader *reader = readers[by]; reader->name; reader++) {
        if (!names_option(reader, option)) continue;
        used += snprintf(text + used, 160 - (size_t)used, "%s", reader->name);
        if (--left == 0) break;
        used += left > 1 ? snprintf(text + used, 160 - (size_t)used, ", ")
                         : snprintf(text + used, 160 - (size_t)used, " %s ", word);
    }
    return text;
}

/* "sgd: 0.01, lars: 1" */
static void write_rates(double usual, char text[160]) {
    int used = 0;
    for (const struct reader *reader = readers[DCNN_READER_OPTIMIZER]; reader->name; reader++)
        if (reader->rate != usual)
            used +=
                snprintf(text + used, 160 - (size_t)used, "%s%s: %g", used > 0 ? ", " : "", reader->name, reader->rate);
}

const char *dcnn_option_help(const dcnn_option *option, char text[256]) {
    const char *mark = strchr(option->help, '{'), *end = mark ? strchr(mark, '}') : NULL;
    char said[160] = "";
    if (end == NULL) return option->help;
    if (strncmp(mark, "{rates}", 7) == 0)
        write_rates(strtod(option->fallback, NULL), said);
    else
        for (int by = 0; by < DCNN_READER_COUNT && said[0] == '\0'; by++)
            dcnn_option_readers((dcnn_option_reader)by, option->name, "and", said);
    snprintf(text, 256, "%.*s%s%s", (int)(mark - option->help), option->help, said, end + 1);
    return text;
}

/* --- records ---------------------------------------------------------------------------------------------------- */

/* JSON has no bytes that are not UTF-8, as a file's name may have. */
static json_t *text_json(const char *text) {
    json_t *json = json_string(text);
    return json ? json : dcnn_json_shown(text);
}

/* A value as JSON; whole numbers up to 2^63, larger seeds as text, for JSON libraries know no unsigned integers. */
static json_t *value_json(const dcnn_option *option, const dcnn_options *options) {
    const void *at = (const char *)options + option->offset;
    switch (option->type) {
    case DCNN_OPTION_FLAG:
        return json_boolean(*(const bool *)at);
    case DCNN_OPTION_INTEGER:
    case DCNN_OPTION_BYTES:
        return json_integer(*(const int64_t *)at);
    case DCNN_OPTION_REAL:
        return json_real(*(const double *)at);
    case DCNN_OPTION_SEED: {
        const uint64_t seed = *(const uint64_t *)at;
        return seed <= INT64_MAX ? json_integer((json_int_t)seed) : json_sprintf("%" PRIu64, seed);
    }
    case DCNN_OPTION_TEXT:
    case DCNN_OPTION_CHOICE: {
        const char *text = *(const char *const *)at;
        return text ? text_json(text) : json_null();
    }
    case DCNN_OPTION_LIST: {
        const dcnn_text_list *list = at;
        json_t *texts = json_array();
        for (int i = 0; i < list->count; i++) json_array_append_new(texts, text_json(list->text[i]));
        return texts;
    }
    case DCNN_OPTION_SHAPE: {
        const int *shape = at;
        return json_pack("[i,i,i]", shape[0], shape[1], shape[2]);
    }
    }
    return json_null();
}

json_t *dcnn_options_record(dcnn_command_id command, const dcnn_options *options) {
    json_t *record = json_object();
    for (int i = 0; i < dcnn_option_count && record; i++) {
        const dcnn_option *option = &dcnn_option_table[i];
        if (!has_option(command, option) || option->offset == AT(help)) continue;
        json_t *value = value_json(option, options);
        if (value == NULL) value = json_null(); /* a file name that is not UTF-8 */
        if (json_object_set_new(record, option->name, value) != 0) {
            json_decref(record);
            record = NULL;
        }
    }
    return record;
}

/* A recorded value as the text that would have set it; NULL: none, or one that cannot be. */
static const char *recorded_text(const json_t *value, char text[64]) {
    if (json_is_string(value)) return json_string_value(value);
    if (json_is_boolean(value)) return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        snprintf(text, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value) && snprintf(text, 64, "%.12g", json_real_value(value)) > 0 &&
             strtod(text, NULL) != json_real_value(value))
        snprintf(text, 64, "%.17g", json_real_value(value));
    else if (!json_is_real(value))
        return NULL;
    return text;
}

void dcnn_option_write(const dcnn_option *option, const dcnn_options *options, FILE *to) {
    char number[64], word[DCNN_SHELL_WORD];
    json_t *value = value_json(option, options);
    const char *words = recorded_text(value, number);
    if (json_is_boolean(value))
        fprintf(to, "--%s%s", json_is_true(value) ? "" : "no-", option->name);
    else if (words)
        fprintf(to, "--%s %s", option->name, dcnn_shell_word(words, word, sizeof word));
    for (size_t i = 0; i < json_array_size(value); i++)
        fprintf(to, "%s--%s %s", i > 0 ? " " : "", option->name,
                dcnn_shell_word(json_string_value(json_array_get(value, i)), word, sizeof word));
    json_decref(value);
}

/* A value as a user writes it: "--batch-size 128", "--no-augment", "no --class-weight", "--freeze conv1 --freeze
 * conv2". */
static const char *setting_text(const dcnn_option *option, const json_t *value, char text[160]) {
    enum { SHOWN = 100 };
    char number[64];
    if (json_is_boolean(value)) {
        snprintf(text, 160, "--%s%s", json_is_true(value) ? "" : "no-", option->name);
    } else if (json_is_array(value) && json_array_size(value) > 0) {
        size_t used = 0;
        for (size_t i = 0; i < json_array_size(value) && used < 150; i++)
            used += (size_t)snprintf(text + used, 160 - used, "%s--%s %s", used ? " " : "", option->name,
                                     json_string_value(json_array_get(value, i)));
    } else {
        const char *words = recorded_text(value, number);
        snprintf(text, 160, words ? "--%s %.*s%s" : "no --%s", option->name, SHOWN, words,
                 words && strlen(words) > SHOWN ? "..." : "");
    }
    return text;
}

/* What was recorded becomes the option's value; null and what is missing leave it. */
static dcnn_status take_recorded(const dcnn_option *option, const json_t *value, dcnn_options *options) {
    char number[64];
    dcnn_status status = DCNN_OK;
    if (json_is_array(value) && option->type == DCNN_OPTION_LIST) {
        for (size_t i = 0; i < json_array_size(value) && status == DCNN_OK; i++) {
            const char *text = json_string_value(json_array_get(value, i));
            if (text) status = dcnn_option_set(option, text, options);
        }
    } else if (recorded_text(value, number)) {
        status = dcnn_option_set(option, recorded_text(value, number), options);
    }
    if (status == DCNN_OK) return DCNN_OK;
    dcnn_error_prefix("the checkpoint's options");
    return DCNN_BAD_INPUT;
}

/* An option that is given although the run has one of its own: the same, or none at all. */
static dcnn_status compare_recorded(dcnn_command_id command, const dcnn_option *option, const json_t *value,
                                    const dcnn_options *options) {
    char old_text[160], new_text[160];
    dcnn_options before;
    dcnn_options_default(command, &before);
    DCNN_TRY(take_recorded(option, value, &before));
    json_t *old = value_json(option, &before), *now = value_json(option, options);
    const bool same = json_equal(old, now);
    setting_text(option, old, old_text);
    setting_text(option, now, new_text);
    json_decref(old);
    json_decref(now);
    if (same) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "the run was started with %s, now %s is given: leave it out to go on, or start another run "
                     "(--run, --overwrite)",
                     old_text, new_text);
}

dcnn_status dcnn_options_resume(dcnn_command_id command, const json_t *record, dcnn_options *options) {
    for (int i = 0; i < dcnn_option_count && json_is_object(record); i++) {
        const dcnn_option *option = &dcnn_option_table[i];
        const json_t *value = json_object_get(record, option->name);
        if (!has_option(command, option) || option->resume == DCNN_RESUME_FORGET) continue;
        if (!options->given[i])
            DCNN_TRY(take_recorded(option, value, options));
        else if (option->resume == DCNN_RESUME_FIXED)
            DCNN_TRY(compare_recorded(command, option, value, options));
    }
    return DCNN_OK;
}
