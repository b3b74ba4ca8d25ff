/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.h — what the files that read ONNX share. A graph becomes a Keras description and its weights, node by node: each
 * value is a constant, or what a layer makes. Whatever follows (shapes that fit, options that dcnn has) is the business
 * of dcnn_net_create().
 */
#ifndef DCNN_MODEL_ONNX_READ_H
#define DCNN_MODEL_ONNX_READ_H

#include <jansson.h>
#include <stdbool.h>

#include <onnx.pb-c.h>

#include "model/model.h"

enum {
    DCNN_ONNX_RANK = 6,
    DCNN_ONNX_LIST = 2 * DCNN_ONNX_RANK, /* numbers of a shape, of axes, of pads */
    DCNN_ONNX_MOST = 1 << 28             /* numbers in a constant */
};

typedef enum dcnn_onnx_kind {
    ONNX_CONSTANT,
    ONNX_MAP,     /* [N, c, h, w]; the layer makes [N, h, w, c] */
    ONNX_LAST,    /* [N, h, w, c], as the layer makes it */
    ONNX_VECTOR,  /* [N, c] */
    ONNX_FLAT,    /* [N, c h w] of a map: the layer makes the map still */
    ONNX_GROUPED, /* [N, groups, rest] of a map, likewise */
    ONNX_OPEN     /* of an operator that dcnn does not have, unless what follows makes one of it that it has */
} dcnn_onnx_kind;

typedef struct dcnn_onnx_value {
    const char *name;
    dcnn_onnx_kind kind;
    const char *layer; /* that makes it */
    int c, h, w;       /* of a map; a vector has c alone */
    int groups;
    bool positive;                         /* never below 0 */
    const DcnnOnnx__Node *made_by, *blame; /* blame: the node whose operator dcnn does not have */
    /* constants: one of the two lists */
    int rank;
    int64_t dims[DCNN_ONNX_RANK], count;
    float *floats;
    int64_t *ints;
} dcnn_onnx_value;

/* A weight on its way to its layer. */
typedef struct dcnn_onnx_weight_in {
    const char *layer;
    int number;
    float *values;
    size_t count;
} dcnn_onnx_weight_in;

typedef struct dcnn_onnx_reader {
    const char *path;
    const DcnnOnnx__Graph *graph;
    bool own; /* dcnn wrote it: names of values begin with their layer's */
    int64_t opset;
    int64_t batch; /* of the input; 0: any */
    json_t *index; /* number of a value by its name */
    dcnn_onnx_value *values;
    size_t value_count, value_room;
    json_t *layers, *names, *uses; /* of the description; layers by name; how often a value is used */
    json_t *numbered;              /* layers of a class that have a numbered name */
    dcnn_onnx_weight_in *weights;
    size_t weight_count, weight_room;
    int64_t held, folded; /* numbers of the file's tensors; of constants that were computed */
    void **blocks;
    size_t block_count, block_room;
    uint8_t *external; /* a tensor's bytes of another file */
    json_t *claimed;   /* how many bytes of each such file the tensors named */
    char told[200];    /* what the user has to know */
} dcnn_onnx_reader;

enum { DCNN_ONNX_LENGTH = 1 << 20 /* rows or columns of a map */, DCNN_ONNX_FEATURES = 1 << 28 /* all its numbers */ };

/* Memory that lasts as long as the reader. NULL: out of memory, which is on record. */
void *dcnn_onnx_keep(dcnn_onnx_reader *r, size_t count, size_t size);

/* The value of that name; fails where there is none. *value lasts until another one is added. */
dcnn_status dcnn_onnx_get(const dcnn_onnx_reader *r, const char *name, dcnn_onnx_value *value);

/* Input `number` of a node; an optional one that is not there is a constant of count 0. */
dcnn_status dcnn_onnx_input(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t number,
                            dcnn_onnx_value *value);
bool dcnn_onnx_has_input(const DcnnOnnx__Node *node, size_t number);

/* A tensor of the file as a constant: floats, or whole numbers. */
dcnn_status dcnn_onnx_tensor(dcnn_onnx_reader *r, const DcnnOnnx__Tensor *tensor, dcnn_onnx_value *value);

/* Attributes. */
const DcnnOnnx__Attribute *dcnn_onnx_attribute(const DcnnOnnx__Node *node, const char *name);
int64_t dcnn_onnx_int_of(const DcnnOnnx__Node *node, const char *name, int64_t fallback);
double dcnn_onnx_float_of(const DcnnOnnx__Node *node, const char *name, double fallback);
bool dcnn_onnx_is(const DcnnOnnx__Node *node, const char *name, const char *word, const char *fallback);
/* Refuses an attribute that is not among `known`, words with spaces between: "axis", or "storage_order=0" where it may
 * stand there with that one whole number. */
dcnn_status dcnn_onnx_check_attributes(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *known);
/* Fills `count` numbers; those of a missing attribute stay. Fails where there are others. */
dcnn_status dcnn_onnx_ints_of(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *name, size_t count,
                              int64_t *values);
/* The whole numbers of a constant input, or of an attribute (as older opsets have it). */
dcnn_status dcnn_onnx_list_of(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t input,
                              const char *attribute, int64_t *values, int *count);

/* A place in `count` of them, from the first (0) or the last (-1) on; where it lies outside, the end there. */
int64_t dcnn_onnx_place(int64_t number, int64_t count);

/* Refuses a node: "x.onnx: node 'a' (Conv): what". */
dcnn_status dcnn_onnx_refuse(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *what);

/* Computes a node of constants. *done: false if it is none that dcnn folds. */
dcnn_status dcnn_onnx_fold(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out, bool *done);

/* Adds a layer on some values; takes `config` over, of which NULL says that one of its numbers is none that JSON has (a
 * NaN). out->layer becomes its name; its kind and shape are the caller's. */
dcnn_status dcnn_onnx_add(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *class_name, json_t *config,
                          int count, const dcnn_onnx_value *inputs, dcnn_onnx_value *out);

/* The next weight of the layer that was added last; `values` last as long as the reader. */
dcnn_status dcnn_onnx_weigh(dcnn_onnx_reader *r, const char *layer, int number, float *values, size_t count);

/* The description's config of a layer, to be changed; and its class. */
json_t *dcnn_onnx_config(const dcnn_onnx_reader *r, const char *layer);
void dcnn_onnx_rename(const dcnn_onnx_reader *r, const char *layer, const char *class_name);

/* Is a value that waits the mean over a map's channels? */
bool dcnn_onnx_is_mean(const dcnn_onnx_reader *r, const dcnn_onnx_value *value);

/* A mean or maximum over a map's channels that is not a part of something else. */
dcnn_status dcnn_onnx_reduce(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out);

/* Makes a value what an operator takes: a map, or a vector in the order of [c, h, w]; adds layers where it must. */
dcnn_status dcnn_onnx_as_map(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *value);
dcnn_status dcnn_onnx_settle(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *value);
/* The node's first input, settled. */
dcnn_status dcnn_onnx_settled(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *value);

/* A number that newer opsets have as an input and older ones as an attribute; *value stays where there is neither. */
dcnn_status dcnn_onnx_bound(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t input, const char *attribute,
                            double *value);

/* How often a value is used. */
int dcnn_onnx_uses(const dcnn_onnx_reader *r, const char *name);

/* Adds what a node does; *out: its first output. The tables of operators. */
typedef dcnn_status dcnn_onnx_take(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out);
typedef struct dcnn_onnx_row {
    const char *operator;
    dcnn_onnx_take *take;
    const char *attributes; /* that it reads, or that change nothing here; any other one is refused */
} dcnn_onnx_row;
extern const dcnn_onnx_row dcnn_onnx_layer_rows[], dcnn_onnx_value_rows[], dcnn_onnx_shape_rows[];

#endif
