/* SPDX-License-Identifier: BSD-3-Clause */
/* test_operations.c — operations of keras.ops in a description: which layers compute them, and which are refused. */
#include "io_helpers.h"

#include "model_helpers.h"
#include "nn/layer.h"
#include "nn/net.h"

static const char one_operation[] =
    "{'class_name':'Functional','config':{'layers':["
    "{'class_name':'InputLayer','config':{'batch_shape':[null,4,4,1]},'name':'in','inbound_nodes':[]},"
    "{'class_name':'%s','module':'keras.src.ops.numpy','config':{'name':'op'%s},"
    "'inbound_nodes':[{'args':[%s],'kwargs':{}}]},"
    "{'class_name':'Flatten','config':{'name':'f'},'inbound_nodes':[[['op',0,0,{}]]]},"
    "{'class_name':'Dense','config':{'name':'d','units':3,'activation':'softmax'},"
    "'inbound_nodes':[[['f',0,0,{}]]]}],'input_layers':[['in',0,0]],'output_layers':[['d',0,0]]}}";

#define VALUE "{'class_name':'__keras_tensor__','config':{'keras_history':['in',0,0]}}"

/* What Keras makes of `x + 3` on a layer's output is read as the Rescaling that computes the same. */
static void test_operations(void **state) {
    (void)state;
    static const struct {
        const char *class_name, *arguments;
        double scale, offset; /* 0, 0: refused */
    } cases[] = {
        {"Add", VALUE ",3.0", 1, 3},     {"Add", "3," VALUE, 1, 3},         {"Subtract", VALUE ",3", 1, -3},
        {"Subtract", "3," VALUE, -1, 3}, {"Multiply", VALUE ",0.5", .5, 0}, {"TrueDivide", VALUE ",4", .25, 0},
        {"Divide", VALUE ",4", .25, 0},  {"Divide", "4," VALUE, 0, 0},      {"Divide", VALUE ",0", 0, 0},
        {"Power", VALUE ",3.5", 0, 0},   {"Add", VALUE ",1,2", 0, 0},       {"Add", VALUE "," VALUE ",2", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, one_operation, cases[i].class_name, "", cases[i].arguments);
        json_t *description = parse(text);
        dcnn_net *net = NULL;
        const dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &net);
        json_decref(description);
        if (cases[i].scale == 0) {
            assert_fails(status, DCNN_BAD_INPUT, "'op'", cases[i].class_name);
            continue;
        }
        assert_ok(status);
        json_t *written = dcnn_net_describe(net);
        const json_t *op = json_array_get(json_object_get(json_object_get(written, "config"), "layers"), 1);
        const json_t *config = json_object_get(op, "config");
        assert_string_equal(json_string_value(json_object_get(op, "class_name")), "Rescaling");
        assert_true(json_number_value(json_object_get(config, "scale")) == cases[i].scale);
        assert_true(json_number_value(json_object_get(config, "offset")) == cases[i].offset);
        json_decref(written);
        dcnn_net_free(net);
    }
}

/* One operation called with 3 and with 5, and with two values: each call is its own. */
static void test_operations_called_again(void **state) {
    (void)state;
    static const char text[] =
        "{'class_name':'Functional','config':{'layers':["
        "{'class_name':'InputLayer','config':{'batch_shape':[null,4,4,1]},'name':'in','inbound_nodes':[]},"
        "{'class_name':'Add','module':'keras.src.ops.numpy','config':{'name':'op'},'inbound_nodes':["
        "{'args':[" VALUE ",3.0],'kwargs':{}},{'args':[" VALUE ",5.0],'kwargs':{}},"
        "{'args':[" VALUE "," VALUE "],'kwargs':{}},{'args':[" VALUE ",3.0],'kwargs':{}}]},"
        "{'class_name':'Concatenate','config':{'name':'all'},'inbound_nodes':[["
        "['op',0,0,{}],['op',1,0,{}],['op',2,0,{}],['op',3,0,{}]]]},"
        "{'class_name':'Flatten','config':{'name':'f'},'inbound_nodes':[[['all',0,0,{}]]]},"
        "{'class_name':'Dense','config':{'name':'d','units':3,'activation':'softmax'},"
        "'inbound_nodes':[[['f',0,0,{}]]]}],'input_layers':[['in',0,0]],'output_layers':[['d',0,0]]}}";
    static const double offsets[] = {3, 5, 0, 3}; /* 0: no number, both are the input */
    json_t *description = parse(text);
    dcnn_net *net = NULL;
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    json_decref(description);
    const dcnn_node *all = &net->nodes[net->node_count - 3];
    assert_int_equal(all->input_count, 4);
    for (int k = 0; k < 4; k++) {
        const dcnn_node *op = &net->nodes[all->inputs[k]];
        json_t *config = json_object();
        op->layer->describe(&net->nodes[op->owner], config);
        assert_string_equal(op->layer->class_name, offsets[k] != 0 ? "Rescaling" : "Add");
        if (offsets[k] != 0) assert_true(json_number_value(json_object_get(config, "offset")) == offsets[k]);
        json_decref(config);
    }
    dcnn_net_free(net);
}

/* ... and ops.relu(x) as an Activation, of those that are layers; others are named. */
static void test_functions(void **state) {
    (void)state;
    static const struct {
        const char *class_name, *config, *layer; /* NULL: refused */
    } cases[] = {
        {"Relu", "", "Activation"},
        {"Exp", "", "Activation"},
        {"LeakyRelu", ",'negative_slope':0.1", "LeakyReLU"},
        {"Gelu", ",'approximate':false", "Activation"},
        {"Gelu", ",'approximate':true", "Multiply"},
        {"Celu", ",'alpha':2.0", NULL},
        {"Softmax", ",'axis':1", "Softmax"},
        {"Mean", ",'axis':[-2,1],'keepdims':true", "GlobalAveragePooling2D"},
        {"Mean", ",'axis':[1],'keepdims':true", "Permute"},
        {"Mean", ",'axis':[1],'keepdims':false", NULL},
        {"Mean", ",'axis':null,'keepdims':true", NULL},
        {"Mean", ",'axis':[0,1],'keepdims':true", NULL},
        {"Max", ",'axis':-1,'keepdims':true,'initial':null", "Permute"},
        {"Std", ",'axis':-1,'keepdims':true", NULL},
        {"Max", ",'axis':[1,2],'keepdims':true,'initial':0.5", NULL},
        {"Reshape", ",'newshape':[-1,16]", "Reshape"},
        {"Reshape", ",'newshape':[8,-1]", NULL},
        {"Transpose", ",'axes':[0,2,1,3]", "Permute"},
        {"Transpose", ",'axes':[1,0,2,3]", NULL},
        {"Transpose", ",'axes':[0,-1,1,-2]", "Permute"},
        {"Transpose", ",'axes':null", NULL},
        {"Swapaxes", ",'axis1':1,'axis2':-1", "Permute"},
        {"Swapaxes", ",'axis1':0,'axis2':-1", NULL},
        {"Moveaxis", ",'source':-1,'destination':1", "Permute"},
        {"Moveaxis", ",'source':[1,2],'destination':[2,1]", NULL},
        {"Squeeze", ",'axis':[1,2]", NULL},
        {"Cast", ",'dtype':'float32'", "Identity"},
        {"Cast", ",'dtype':'float16'", NULL},
        {"Pad", ",'mode':'constant','pad_width':[[0,0],[1,2],[0,1],[0,0]]", "ZeroPadding2D"},
        {"Pad", ",'mode':'reflect','pad_width':[[0,0],[1,2],[0,1],[0,0]]", NULL},
        {"Clip", ",'x_min':0,'x_max':6", "ReLU"},
        {"Clip", ",'x_min':-1,'x_max':6", "Rescaling"},
        {"Clip", ",'x_min':2,'x_max':1", NULL},
        {"Square", "", "Multiply"},
        {"Power", "", "Multiply"},
        {"Negative", "", "Rescaling"},
        {"MaxPool", ",'pool_size':2,'strides':1,'padding':'same'", "MaxPooling2D"},
        {"Absolute", "", "Rescaling"},
        {"Sum", ",'axis':[1,2]", "Permute"},
        {"Rsqrt", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, one_operation, cases[i].class_name, cases[i].config,
                 strcmp(cases[i].class_name, "Power") == 0 ? VALUE ",2" : VALUE);
        json_t *description = parse(text);
        dcnn_net *net = NULL;
        const dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &net);
        json_decref(description);
        if (cases[i].layer == NULL) {
            assert_fails(status, DCNN_BAD_INPUT, "'op'", cases[i].class_name);
            continue;
        }
        if (status != DCNN_OK) fail_msg("%s: %s", cases[i].class_name, dcnn_error());
        assert_string_equal(net->nodes[1].layer->class_name, cases[i].layer);
        dcnn_net_free(net);
    }
}

#define SLICE(a, b, step) "{'class_name':'__slice__','config':{'start':" a ",'stop':" b ",'step':" step "}}"
#define ALL               SLICE("null", "null", "null")

/* x[...] in steps of 1, of images; never a part of the batch. */
static void test_parts(void **state) {
    (void)state;
    static const struct {
        const char *key, *shape; /* NULL: refused */
    } cases[] = {
        {"[" ALL "," SLICE("1", "-1", "null") "]", "(2, 4, 1)"},
        {"[" ALL ",{'class_name':'__ellipsis__','config':{}}," SLICE("-3", "null", "1") "," ALL "]", "(4, 3, 1)"},
        {"[{'class_name':'__ellipsis__','config':{}}," SLICE("null", "1", "null") "]", "(4, 4, 1)"},
        {"[" ALL "," SLICE("null", "null", "2") "]", NULL},
        {"[" ALL ",1]", NULL},
        {"[" ALL "," SLICE("3", "2", "null") "]", NULL},
        {"[" ALL "," SLICE("9223372036854775807", "-9223372036854775807", "null") "]", NULL},
        {"[" SLICE("1", "null", "null") "]", NULL},
        {"[" SLICE("null", "2", "null") "," ALL "]", NULL},
        {SLICE("1", "null", "null"), NULL},
        {"[" ALL ",null,null," ALL "]", NULL},
        {"[" ALL "," ALL "," ALL "," ALL "," ALL "]", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048], arguments[1024], shape[48];
        snprintf(arguments, sizeof arguments, VALUE ",%s", cases[i].key);
        snprintf(text, sizeof text, one_operation, "GetItem", "", arguments);
        json_t *description = parse(text);
        dcnn_net *net = NULL;
        const dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &net);
        json_decref(description);
        if (cases[i].shape == NULL) {
            assert_fails(status, DCNN_BAD_INPUT, "'op'", "GetItem");
            continue;
        }
        if (status != DCNN_OK) fail_msg("%s: %s", cases[i].key, dcnn_error());
        assert_string_equal(dcnn_shape_text(net->nodes[net->node_count - 3].shape, shape), cases[i].shape);
        assert_string_equal(net->base, ""); /* no model that a base is known by */
        dcnn_net_free(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_operations_called_again),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests_name("operations of keras.ops", tests, set_up, tear_down);
}
