/* SPDX-License-Identifier: BSD-3-Clause */
/* test_onnx_graphs.c — small ONNX graphs, made here: what an operator's settings mean is read, and what dcnn cannot do
 * is refused by name. */
#include <limits.h>
#include <math.h>
#include <unistd.h>

#include "base/log.h"
#include "expected_helpers.h"
#include "model/onnx/build.h"
#include "model/onnx/onnx.h"
#include "nn/layer.h"

enum { ANY = 0, NEW = 17, OLD = 11, CHANNELS = 3, SIDE = 4 };

/* A graph of one input "x" [batch, channels, side, side]; what stands last in it is its output. */
typedef struct fixture {
    dcnn_onnx_graph graph;
    int64_t sizes[4];
    const char *domain;
    int64_t opset;
} fixture;

static fixture begin(int64_t opset) {
    fixture f = {.sizes = {ANY, CHANNELS, SIDE, SIDE}, .domain = "", .opset = opset};
    dcnn_onnx_begin(&f.graph);
    return f;
}

static void set_value(DcnnOnnx__Value *value, const char *name) {
    dcnn_onnx__value__init(value);
    value->name = (char *)(uintptr_t)name;
}

static void pack(fixture *f, const char *path) {
    DcnnOnnx__Dimension dims[4], *dim_list[4];
    DcnnOnnx__Shape shape = DCNN_ONNX__SHAPE__INIT;
    DcnnOnnx__TensorType tensor = DCNN_ONNX__TENSOR_TYPE__INIT;
    DcnnOnnx__Type type = DCNN_ONNX__TYPE__INIT;
    DcnnOnnx__Value in, out, *ins = &in, *outs = &out;
    DcnnOnnx__OperatorSet set = DCNN_ONNX__OPERATOR_SET__INIT, *sets = &set;
    DcnnOnnx__Graph *g = &f->graph.graph;
    for (int i = 0; i < 4; i++) {
        dcnn_onnx__dimension__init(&dims[i]);
        dims[i].has_dim_value = f->sizes[i] > 0;
        dims[i].dim_value = f->sizes[i];
        dim_list[i] = &dims[i];
    }
    shape.n_dim = 4;
    shape.dim = dim_list;
    tensor.has_elem_type = true;
    tensor.elem_type = ONNX_FLOAT;
    tensor.shape = &shape;
    type.tensor_type = &tensor;
    set_value(&in, "x");
    in.type = &type;
    set_value(&out, g->node[g->n_node - 1]->output[0]);
    g->n_input = g->n_output = 1;
    g->input = &ins;
    g->output = &outs;
    set.domain = (char *)(uintptr_t)f->domain;
    set.has_version = true;
    set.version = f->opset;
    f->graph.model.graph = g;
    f->graph.model.n_opset_import = 1;
    f->graph.model.opset_import = &sets;
    assert_false(f->graph.failed);
    const size_t length = dcnn_onnx__model__get_packed_size(&f->graph.model);
    uint8_t *bytes = allocate(length, 1);
    dcnn_onnx__model__pack(&f->graph.model, bytes);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

static dcnn_status read_back(fixture *f, dcnn_checkpoint *model) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/dcnn-onnx-graphs-%d.onnx", (int)getpid());
    pack(f, path);
    dcnn_onnx_free(&f->graph);
    const dcnn_status status = dcnn_onnx_read(path, model);
    unlink(path);
    return status;
}

static void expect_refused(fixture *f, const char *words) {
    dcnn_checkpoint model;
    if (read_back(f, &model) == DCNN_OK) {
        dcnn_checkpoint_free(&model);
        fail_msg("it is read, but should be refused: ...%s", words);
    }
    if (strstr(dcnn_error(), words) == NULL) fail_msg("'%s' does not say '%s'", dcnn_error(), words);
}

/* Of the layer of that class. */
static const dcnn_node *find_node(const dcnn_net *net, const char *class_name) {
    for (int i = 0; i < net->node_count; i++)
        if (strcmp(net->nodes[i].layer->class_name, class_name) == 0) return &net->nodes[i];
    fail_msg("the net has no %s", class_name);
    return NULL;
}

static void expect_read(fixture *f) {
    dcnn_checkpoint model;
    assert_ok(read_back(f, &model));
    dcnn_checkpoint_free(&model);
}

static void finish(fixture *f, const char *value) {
    dcnn_onnx_one(&f->graph, "Flatten", value);
}

/* --- constants ---------------------------------------------------------------------------------------------------- */

static const char *table(fixture *f, int64_t rows, int64_t columns, const int64_t *values) {
    const char *name = dcnn_onnx_int64s(&f->graph, (int)(rows * columns), values);
    DcnnOnnx__Tensor *tensor = f->graph.graph.initializer[f->graph.graph.n_initializer - 1];
    tensor->dims = dcnn_onnx_alloc(&f->graph, 2 * sizeof *tensor->dims);
    tensor->n_dims = 2;
    tensor->dims[0] = rows;
    tensor->dims[1] = columns;
    return name;
}

static const char *number(fixture *f, int64_t value) {
    const char *name = dcnn_onnx_int64s(&f->graph, 1, &value);
    f->graph.graph.initializer[f->graph.graph.n_initializer - 1]->n_dims = 0;
    return name;
}

/* Pads 1 before rows, 2 before columns, 3 behind rows, 4 behind columns, as a table of that shape. */
static void expect_pads(fixture *f, const char *pads) {
    dcnn_checkpoint model;
    const char *list = dcnn_onnx_two(&f->graph, "Reshape", pads, dcnn_onnx_int64s(&f->graph, 1, (const int64_t[]){-1}));
    finish(f, dcnn_onnx_two(&f->graph, "Pad", "x", list));
    assert_ok(read_back(f, &model));
    const dcnn_node *node = find_node(model.net, "ZeroPadding2D");
    assert_int_equal(node->shape.h, SIDE + 1 + 3);
    assert_int_equal(node->shape.w, SIDE + 2 + 4);
    dcnn_checkpoint_free(&model);
}

static const int64_t pads_by_column[] = {0, 0, 0, 0, 1, 3, 2, 4}, pads_in_line[] = {0, 0, 1, 2, 0, 0, 3, 4};

/* A sum of tables is a table, on whichever side the larger one stands. */
static void sums_keep_their_shape(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        fixture f = begin(NEW);
        const char *pads = table(&f, 4, 2, pads_by_column), *none = number(&f, 0);
        const char *sum = dcnn_onnx_two(&f.graph, "Add", side ? none : pads, side ? pads : none);
        expect_pads(&f, dcnn_onnx_one(&f.graph, "Transpose", sum));
    }
    fixture f = begin(NEW); /* [2, 2] + [4] is none that ONNX has */
    const char *sum = dcnn_onnx_two(&f.graph, "Add", table(&f, 2, 2, (const int64_t[]){0, 0, 0, 0}),
                                    dcnn_onnx_int64s(&f.graph, 4, (const int64_t[]){0, 0, 0, 0}));
    finish(&f, dcnn_onnx_two(&f.graph, "Pad", "x", sum));
    expect_refused(&f, "(Add)");
}

static void transposed_tables_obey_perm(void **state) {
    (void)state;
    for (int64_t first = 0; first < 2; first++) {
        fixture f = begin(NEW);
        const char *pads = first ? table(&f, 4, 2, pads_by_column) : table(&f, 2, 4, pads_in_line);
        const char *turned = dcnn_onnx_one(&f.graph, "Transpose", pads);
        dcnn_onnx_ints(&f.graph, "perm", 2, (const int64_t[]){first, 1 - first});
        expect_pads(&f, turned);
    }
    fixture f = begin(NEW);
    const char *turned = dcnn_onnx_one(&f.graph, "Transpose", table(&f, 4, 2, pads_by_column));
    dcnn_onnx_ints(&f.graph, "perm", 2, (const int64_t[]){1, 1});
    finish(&f, dcnn_onnx_two(&f.graph, "Pad", "x", turned));
    expect_refused(&f, "perm");
}

/* [N, 3, 4, 4]: from 1 on its shape is [3, 4, 4]. */
static void parts_of_a_shape_are_read(void **state) {
    (void)state;
    for (int part = 0; part < 2; part++) {
        fixture f = begin(NEW);
        const char *shape = dcnn_onnx_one(&f.graph, "Shape", "x");
        if (part) dcnn_onnx_int(&f.graph, "start", 1);
        const char *inner = dcnn_onnx_node(
            &f.graph, "Concat", 2, (const char *const[]){dcnn_onnx_int64s(&f.graph, 1, (const int64_t[]){0}), shape});
        dcnn_onnx_int(&f.graph, "axis", 0);
        finish(&f, dcnn_onnx_two(&f.graph, "Reshape", "x", part ? inner : shape));
        expect_read(&f);
    }
}

/* PyTorch's Upsample without its folding of constants: scales of two lists. */
static void lists_of_scales_are_joined(void **state) {
    (void)state;
    fixture f = begin(NEW);
    dcnn_checkpoint model;
    const char *lists[2];
    for (int i = 0; i < 2; i++) {
        float *values;
        lists[i] = dcnn_onnx_floats(&f.graph, i ? "factors" : "ones", 1, (const int64_t[]){2}, &values);
        for (int k = 0; values && k < 2; k++) values[k] = i ? 2.0f + (float)k : 1.0f;
    }
    const char *scales = dcnn_onnx_node(&f.graph, "Concat", 2, lists);
    dcnn_onnx_int(&f.graph, "axis", 0);
    const char *y = dcnn_onnx_node(&f.graph, "Resize", 3, (const char *const[]){"x", "", scales});
    dcnn_onnx_word(&f.graph, "mode", "nearest");
    dcnn_onnx_word(&f.graph, "coordinate_transformation_mode", "asymmetric");
    dcnn_onnx_word(&f.graph, "nearest_mode", "floor");
    finish(&f, y);
    assert_ok(read_back(&f, &model));
    const dcnn_node *node = find_node(model.net, "UpSampling2D");
    assert_int_equal(node->shape.h, 2 * SIDE);
    assert_int_equal(node->shape.w, 3 * SIDE);
    dcnn_checkpoint_free(&model);
}

/* Likewise its pad: how many numbers a list has. */
static void lists_have_a_shape(void **state) {
    (void)state;
    fixture f = begin(NEW);
    const char *pads = dcnn_onnx_int64s(&f.graph, 8, (const int64_t[]){0, 0, 1, 2, 0, 0, 3, 4});
    const char *more = dcnn_onnx_two(&f.graph, "Sub", dcnn_onnx_one(&f.graph, "Shape", pads),
                                     dcnn_onnx_int64s(&f.graph, 1, (const int64_t[]){9}));
    const char *shape = dcnn_onnx_two(&f.graph, "Mul", more, dcnn_onnx_int64s(&f.graph, 1, (const int64_t[]){-8}));
    expect_pads(&f, dcnn_onnx_two(&f.graph, "Reshape", pads, shape));
}

/* A file that names what is the default already was refused once. */
static void sizes_are_reached_as_the_operator_says(void **state) {
    (void)state;
    static const struct {
        const char *mode, *pixels, *nearest, *policy;
        int64_t height, width;
        const char *layer; /* NULL: it is refused */
    } cases[] = {
        {"linear", "half_pixel", NULL, "stretch", 8, 12, "UpSampling2D"},
        {"linear", "pytorch_half_pixel", NULL, NULL, 8, 8, "UpSampling2D"},
        {"nearest", "asymmetric", "floor", "stretch", 8, 12, "UpSampling2D"},
        {"linear", "half_pixel", NULL, "stretch", 5, 6, "Resizing"},
        {"linear", "pytorch_half_pixel", NULL, NULL, 5, 6, "Resizing"},
        {"nearest", "half_pixel", "round_prefer_ceil", NULL, 3, 6, "Resizing"},
        {"linear", "pytorch_half_pixel", NULL, NULL, 1, 6, NULL},
        {"nearest", "half_pixel", "round_prefer_floor", NULL, 3, 6, NULL},
        {"linear", "align_corners", NULL, NULL, 5, 6, NULL},
        {"cubic", "half_pixel", NULL, NULL, 5, 6, NULL},
        {"linear", "half_pixel", NULL, "not_larger", 8, 12, NULL},
        {"linear", "half_pixel", NULL, "not_smaller", 5, 6, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f = begin(18);
        dcnn_checkpoint model;
        const int64_t sizes[4] = {0, CHANNELS, cases[i].height, cases[i].width};
        const char *inputs[4] = {"x", "", "", dcnn_onnx_int64s(&f.graph, 4, sizes)};
        const char *y = dcnn_onnx_node(&f.graph, "Resize", 4, inputs);
        dcnn_onnx_word(&f.graph, "mode", cases[i].mode);
        dcnn_onnx_word(&f.graph, "coordinate_transformation_mode", cases[i].pixels);
        if (cases[i].nearest) dcnn_onnx_word(&f.graph, "nearest_mode", cases[i].nearest);
        if (cases[i].policy) dcnn_onnx_word(&f.graph, "keep_aspect_ratio_policy", cases[i].policy);
        finish(&f, y);
        if (cases[i].layer == NULL) {
            expect_refused(&f, "(Resize)");
            continue;
        }
        assert_ok(read_back(&f, &model));
        const dcnn_node *node = find_node(model.net, cases[i].layer);
        assert_int_equal(node->shape.h, cases[i].height);
        assert_int_equal(node->shape.w, cases[i].width);
        dcnn_checkpoint_free(&model);
    }
}

static char heard[400];

static void hear(dcnn_log_level level, const char *line) {
    if (level == DCNN_LOG_WARNING) snprintf(heard, sizeof heard, "%s", line);
}

/* Where images are transposed first, their channels may come last; what only is a guess is told. */
static void transposed_images_are_told_apart(void **state) {
    (void)state;
    static const struct {
        int64_t sizes[3];
        int h, w, c;
        bool guessed;
    } cases[] = {{{8, 9, 3}, 8, 9, 3, false},
                 {{3, 8, 9}, 8, 9, 3, false},
                 {{3, 3, 3}, 3, 3, 3, true},
                 {{8, 9, 16}, 8, 9, 16, true}};
    dcnn_log_to(hear, DCNN_LOG_WARNING);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f = begin(NEW);
        dcnn_checkpoint model;
        memcpy(f.sizes + 1, cases[i].sizes, sizeof cases[i].sizes);
        const char *y = dcnn_onnx_one(&f.graph, "Transpose", "x");
        dcnn_onnx_ints(&f.graph, "perm", 4, (const int64_t[]){0, 3, 1, 2});
        finish(&f, y);
        heard[0] = '\0';
        assert_ok(read_back(&f, &model));
        const dcnn_node *node = find_node(model.net, "InputLayer");
        assert_int_equal(node->shape.h, cases[i].h);
        assert_int_equal(node->shape.w, cases[i].w);
        assert_int_equal(node->shape.c, cases[i].c);
        assert_int_equal(strstr(heard, "[N, height, width, channels]") != NULL, cases[i].guessed);
        dcnn_checkpoint_free(&model);
    }
    dcnn_log_to(NULL, DCNN_LOG_WARNING);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

static void softmax_ran_over_whole_maps_once(void **state) {
    (void)state;
    static const struct {
        const char *operator, * domain;
        int64_t opset;
        bool good, vector;
    } rows[] = {{"Softmax", "", OLD, false, false},       {"LogSoftmax", "", OLD, false, false},
                {"Softmax", "", 13, true, false},         {"Softmax", "", OLD, true, true},
                {"Softmax", "ai.onnx", 13, true, false},  {"Softmax", "ai.onnx", OLD, false, false},
                {"LogSoftmax", "ai.onnx", 13, true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f = begin(rows[i].opset);
        f.domain = rows[i].domain;
        const char *y =
            dcnn_onnx_one(&f.graph, rows[i].operator, rows[i].vector ? dcnn_onnx_one(&f.graph, "Flatten", "x") : "x");
        dcnn_onnx_int(&f.graph, "axis", 1);
        if (!rows[i].vector) finish(&f, dcnn_onnx_two(&f.graph, "Mul", y, "x"));
        if (rows[i].good)
            expect_read(&f);
        else
            expect_refused(&f, "before opset 13");
    }
}

/* softplus(x) is x from 15 on, and nowhere else. */
static void a_choice_is_a_softplus_only_where_it_is(void **state) {
    (void)state;
    static const struct {
        const char *comparison;
        double number;
        bool itself, good;
    } rows[] = {{"Greater", 20, true, true},
                {"Less", 20, true, false},
                {"Greater", 1, true, false},
                {"Greater", (double)NAN, true, false},
                {"Greater", 20, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f = begin(NEW);
        const char *other = dcnn_onnx_one(&f.graph, "Relu", "x"), *soft = dcnn_onnx_one(&f.graph, "Softplus", "x");
        const char *large = dcnn_onnx_two(&f.graph, rows[i].comparison, rows[i].itself ? "x" : other,
                                          dcnn_onnx_number(&f.graph, rows[i].number));
        finish(&f, dcnn_onnx_node(&f.graph, "Where", 3, (const char *const[]){large, "x", soft}));
        if (rows[i].good)
            expect_read(&f);
        else
            expect_refused(&f, "(Where)");
    }
}

static void settings_are_numbers(void **state) {
    (void)state;
    fixture f = begin(NEW);
    const char *y = dcnn_onnx_one(&f.graph, "LeakyRelu", "x");
    dcnn_onnx_float(&f.graph, "alpha", (double)NAN);
    finish(&f, y);
    expect_refused(&f, "not a number");
}

static void attributes_that_nobody_reads_are_named(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"Relu", "alpha"}, {"MaxPool", "storage_row"}, {"Identity", "axis"}, {"Selu", "gamma"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f = begin(NEW);
        const char *y = dcnn_onnx_one(&f.graph, rows[i][0], "x");
        if (i == 1) dcnn_onnx_ints(&f.graph, "kernel_shape", 2, (const int64_t[]){2, 2});
        dcnn_onnx_float(&f.graph, rows[i][1], 2);
        finish(&f, y);
        expect_refused(&f, rows[i][1]);
    }
}

static const char *slice(fixture *f, int64_t axis, int64_t from, int64_t to) {
    const char *inputs[4] = {"x"};
    const int64_t numbers[3] = {from, to, axis};
    for (int i = 0; i < 3; i++) inputs[i + 1] = dcnn_onnx_int64s(&f->graph, 1, &numbers[i]);
    return dcnn_onnx_node(&f->graph, "Slice", 4, inputs);
}

static void batches_are_not_cut(void **state) {
    (void)state;
    static const struct {
        int64_t batch, from, to;
        bool good;
    } rows[] = {{ANY, 0, INT64_MAX, true}, {ANY, 0, 1, false},          {ANY, 0, -1, false}, {ANY, 1, INT64_MAX, false},
                {2, 0, 1, false},          {ANY, -1, INT64_MAX, false}, {2, 0, 2, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f = begin(NEW);
        f.sizes[0] = rows[i].batch;
        finish(&f, slice(&f, 0, rows[i].from, rows[i].to));
        if (rows[i].good)
            expect_read(&f);
        else
            expect_refused(&f, "cuts only height and width");
    }
    fixture f = begin(NEW);
    finish(&f, slice(&f, 2, 0, INT64_MIN));
    expect_refused(&f, "nothing is left");
}

/* Graphs that no program writes. */
static void damaged_graphs_are_refused(void **state) {
    (void)state;
    static char not_text[] = "\xff", not_a_layer[] = "\xff/Relu", input[] = "x", own[] = "dcnn";
    static const char *const words[] = {"the value 'relu' is made twice",
                                        "the name of a node cannot be the name of a layer",
                                        "its input must be [N, channels, ",
                                        "has 0 inputs and 1 outputs",
                                        "its names are not UTF-8",
                                        "a graph of 65537 nodes is too large",
                                        "the name of a value is not UTF-8",
                                        "a node without an operator or an output",
                                        "it has too few inputs",
                                        "which no node makes"};
    static DcnnOnnx__Node *many[(1 << 16) + 1];
    for (int i = 0; i < 10; i++) {
        fixture f = begin(NEW);
        DcnnOnnx__Graph *g = &f.graph.graph;
        DcnnOnnx__Node **nodes = NULL;
        dcnn_onnx_int64s(&f.graph, 1, (const int64_t[]){1});
        finish(&f, dcnn_onnx_one(&f.graph, "Relu", dcnn_onnx_one(&f.graph, "Relu", "x")));
        assert_int_equal(g->n_node, 3);
        switch (i) {
        case 0:
            g->node[0]->output[0] = g->node[1]->output[0] = g->node[1]->input[0] = (char *)(uintptr_t) "relu";
            break;
        case 1:
            f.graph.model.producer_name = own;
            g->node[0]->name = not_a_layer;
            break;
        case 2:
            f.sizes[2] = ANY;
            break;
        case 3:
            g->initializer[0]->name = input;
            break;
        case 4:
            g->name = not_text;
            break;
        case 5:
            nodes = g->node;
            for (size_t k = 0; k < sizeof many / sizeof many[0]; k++) many[k] = nodes[2];
            g->node = many;
            g->n_node = sizeof many / sizeof many[0];
            break;
        case 6:
            g->node[0]->output[0] = not_text;
            break;
        case 7:
            g->node[0]->op_type = NULL;
            break;
        case 8:
            g->node[0]->n_input = 0;
            break;
        default:
            g->node[0]->input[0] = own;
            break;
        }
        char path[64];
        snprintf(path, sizeof path, "/tmp/dcnn-onnx-graphs-%d.onnx", (int)getpid());
        pack(&f, path);
        if (nodes) g->node = nodes;
        dcnn_onnx_free(&f.graph);
        dcnn_checkpoint model;
        assert_int_equal(dcnn_onnx_read(path, &model), DCNN_BAD_INPUT);
        unlink(path);
        if (strstr(dcnn_error(), words[i]) == NULL) fail_msg("'%s' does not say '%s'", dcnn_error(), words[i]);
    }
}

static void sizes_have_limits(void **state) {
    (void)state;
    fixture f = begin(NEW);
    f.sizes[1] = f.sizes[2] = f.sizes[3] = 1 << 20;
    finish(&f, "x");
    expect_refused(&f, "too large");
    f = begin(NEW);
    f.sizes[2] = f.sizes[3] = 1 << 13;
    const char *y = "x";
    for (int i = 0; i < 3; i++) { /* each time 64 x 64 as large */
        float *values;
        const char *scales = dcnn_onnx_floats(&f.graph, "scales", 1, (const int64_t[]){4}, &values);
        for (int k = 0; values && k < 4; k++) values[k] = k < 2 ? 1.0f : 64.0f;
        y = dcnn_onnx_two(&f.graph, "Upsample", y, scales);
    }
    finish(&f, y);
    expect_refused(&f, "too large");
}

/* A file of a kilobyte would else take gigabytes, or minutes. */
static void small_files_make_little(void **state) {
    (void)state;
    fixture f = begin(NEW);
    const char *list = number(&f, 1);
    for (int i = 0; i < 25; i++) {
        list = dcnn_onnx_two(&f.graph, "Concat", list, list);
        dcnn_onnx_int(&f.graph, "axis", 0);
    }
    finish(&f, "x");
    expect_refused(&f, "compute constants too large for a file");
    f = begin(NEW);
    const char *length = number(&f, 65535);
    for (int i = 0; i < 100; i++) {
        dcnn_onnx_one(&f.graph, "ConstantOfShape", length);
        dcnn_onnx_int(&f.graph, "value", 0);
        f.graph.graph.node[i]->attribute[0]->t = f.graph.graph.initializer[0];
    }
    finish(&f, "x");
    expect_refused(&f, "compute constants too large for a file");
    f = begin(NEW);
    for (int i = 0; i < DCNN_MOST_LAYERS; i++) dcnn_onnx_one(&f.graph, "Relu", "x");
    finish(&f, "x");
    expect_refused(&f, "more than 8192 layers");
}

static void lists_are_read_whole(void **state) {
    (void)state;
    enum { LONG = 13 };
    int64_t values[LONG], twice[2] = {2, 2};
    for (int i = 0; i < LONG; i++) values[i] = i;
    fixture f = begin(OLD); /* in attributes */
    const char *y = dcnn_onnx_one(&f.graph, "Slice", "x");
    dcnn_onnx_ints(&f.graph, "starts", LONG, values);
    dcnn_onnx_ints(&f.graph, "ends", LONG, values);
    finish(&f, y);
    expect_refused(&f, "it lists more than 12 numbers");
    f = begin(NEW);
    finish(&f, dcnn_onnx_two(&f.graph, "Reshape", "x", dcnn_onnx_int64s(&f.graph, LONG, values)));
    expect_refused(&f, "it lists more than 12 numbers");
    f = begin(OLD);
    y = dcnn_onnx_one(&f.graph, "Slice", "x");
    dcnn_onnx_ints(&f.graph, "starts", 2, (const int64_t[]){1, 0});
    dcnn_onnx_ints(&f.graph, "ends", 2, (const int64_t[]){3, 4});
    dcnn_onnx_ints(&f.graph, "axes", 2, twice);
    finish(&f, y);
    expect_refused(&f, "it names one of its axes twice");
}

static void kernels_have_the_shape_that_is_said(void **state) {
    (void)state;
    static const char *const operators[] = {"Conv", "ConvTranspose"};
    for (int i = 0; i < 4; i++) {
        fixture f = begin(NEW);
        float *values;
        const char *kernel =
            dcnn_onnx_floats(&f.graph, "kernel", 4, (const int64_t[]){CHANNELS, CHANNELS, 2, 2}, &values);
        const char *y = dcnn_onnx_two(&f.graph, operators[i % 2], "x", kernel);
        dcnn_onnx_ints(&f.graph, "kernel_shape", 2, (const int64_t[]){2, i < 2 ? 2 : 3});
        finish(&f, y);
        if (i < 2)
            expect_read(&f);
        else
            expect_refused(&f, "its kernel does not fit its input");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_keep_their_shape),
        cmocka_unit_test(transposed_tables_obey_perm),
        cmocka_unit_test(parts_of_a_shape_are_read),
        cmocka_unit_test(lists_of_scales_are_joined),
        cmocka_unit_test(lists_have_a_shape),
        cmocka_unit_test(sizes_are_reached_as_the_operator_says),
        cmocka_unit_test(transposed_images_are_told_apart),
        cmocka_unit_test(softmax_ran_over_whole_maps_once),
        cmocka_unit_test(a_choice_is_a_softplus_only_where_it_is),
        cmocka_unit_test(settings_are_numbers),
        cmocka_unit_test(attributes_that_nobody_reads_are_named),
        cmocka_unit_test(batches_are_not_cut),
        cmocka_unit_test(damaged_graphs_are_refused),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(small_files_make_little),
        cmocka_unit_test(lists_are_read_whole),
        cmocka_unit_test(kernels_have_the_shape_that_is_said),
    };
    return cmocka_run_group_tests_name("ONNX graphs", tests, NULL, NULL);
}
