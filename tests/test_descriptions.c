/* SPDX-License-Identifier: BSD-3-Clause */
/* test_descriptions.c — nets from Keras descriptions: what is taken, what is refused, and what they start from. */
#include "io_helpers.h"

#include <float.h>
#include <math.h>

#include "model/model.h"
#include "model_helpers.h"
#include "nn/net_edit.h"
#include "nn/plan/plan.h"

static dcnn_status try_description(const char *layers) {
    json_t *description = sequential(layers), *read = NULL;
    const char *path = in_scratch("net.json");
    assert_int_equal(json_dump_file(description, path, 0), 0);
    json_decref(description);
    dcnn_net *net = NULL;
    assert_ok(dcnn_description_read(path, &read));
    dcnn_status status = dcnn_net_create(read, (dcnn_shape){0}, &net);
    json_decref(read);
    dcnn_net_free(net);
    return status;
}

#define INPUT "[{'class_name':'InputLayer','config':{'batch_shape':[null,8,8,1]}},"
#define END   ",{'class_name':'Flatten'},{'class_name':'Dense','config':{'units':3,'activation':'softmax'}}]"

static void test_descriptions(void **state) {
    (void)state;
    static const struct {
        const char *layers, *fragment, *place;
    } cases[] = {
        {INPUT "{'class_name':'Conv3D','config':{'name':'odd'}}" END, "Conv3D", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':2,'kernel_size':3,'activation':'glu'}}" END,
         "glu", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','kernel_size':3}}" END, "filters", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':2}}" END, "kernel_size", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':-2,'kernel_size':3}}" END, "filters", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':2,'kernel_size':9}}" END, "smaller", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':2,'kernel_size':3,'groups':2}}" END, "groups",
         "'odd'"},
        {INPUT "{'class_name':'MaxPooling2D','config':{'name':'odd','pool_size':[9,2]}}" END, "smaller", "'odd'"},
        {INPUT "{'class_name':'Dropout','config':{'name':'odd','rate':1.5}}" END, "rate", "'odd'"},
        {INPUT "{'class_name':'Flatten'},{'class_name':'Dense','config':{'name':'odd','activation':'softmax'}}]",
         "units", "'odd'"},
        {INPUT "{'class_name':'Flatten'},{'class_name':'Dense','config':{'name':'odd','units':3,'activation':'relu'}}]",
         "softmax", "'odd'"},
        {INPUT "{'class_name':'Flatten','config':{'name':'odd'}},{'class_name':'Flatten','config':{'name':'odd'}}" END,
         "two layers", "'odd'"},
        {"[{'class_name':'Flatten'}" END, "input shape", "batch_shape"},
        {"[]", "no layers", ""},
    };
    assert_ok(try_description(INPUT "{'class_name':'Dropout'}" END));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(try_description(cases[i].layers), DCNN_BAD_INPUT, cases[i].fragment, cases[i].place);
}

/* Keras takes these; so does dcnn, or it says which layer is in the way. */
static void test_odd_but_legal(void **state) {
    (void)state;
    static const struct {
        const char *layers, *refusal, *place; /* NULL: it is taken */
    } cases[] = {
        {"[{'class_name':'Flatten','config':{'batch_input_shape':[null,8,8]}},{'class_name':'Dense','config':"
         "{'units':3,'activation':'softmax'}}]",
         NULL, NULL},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,8,8]}},{'class_name':'Rescaling','config':"
         "{'scale':0.1}},{'class_name':'Reshape','config':{'target_shape':[8,8,1]}}" END,
         NULL, NULL},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,8,8]}},{'class_name':'Dense','config':"
         "{'name':'odd','units':4}}" END,
         "without channels", "'odd'"},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,8,8]}},{'class_name':'Conv2D','config':"
         "{'name':'odd','filters':4,'kernel_size':3}}" END,
         "Reshape((8, 8, 1))", "'odd'"},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[5,8,8,1]}}" END, NULL, NULL},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,null,null,3]}}" END, "open", "Input"},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,8,8,1],'dtype':'uint8'}},{'class_name':"
         "'RandomFlip'},{'class_name':'Rescaling','config':{'scale':0.1}}" END,
         NULL, NULL},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,9,9,1],'dtype':'uint8'}},{'class_name':"
         "'Resizing','config':{'name':'odd','height':8,'width':8}},{'class_name':'Rescaling','config':{'scale':0.1}"
         "}" END,
         "rounds to whole numbers", "'odd'"},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,9,9,1],'dtype':'uint8'}},{'class_name':"
         "'RandomFlip'},{'class_name':'Resizing','config':{'height':8,'width':8}},{'class_name':'Rescaling','config':"
         "{'scale':0.1}}" END,
         NULL, NULL},
        {"[{'class_name':'InputLayer','config':{'batch_shape':[null,8,8,1],'dtype':'uint8'}},{'class_name':'Conv2D',"
         "'config':{'name':'odd','filters':4,'kernel_size':3}}" END,
         "whole numbers", "'odd'"},
        {INPUT "{'class_name':'Reshape','config':{'target_shape':[2,4,4,2]}},{'class_name':'ReLU','config':{'name':"
               "'odd'}}" END,
         "only from a Reshape or Permute", "'odd'"},
        {INPUT "{'class_name':'Reshape','config':{'target_shape':[2,4,-1,2]}},{'class_name':'Permute','config':{'dims':"
               "[1,2,4,3]}}" END,
         NULL, NULL},
        {INPUT "{'class_name':'Identity'},{'class_name':'Softmax','config':{'axis':[-1]}}" END, NULL, NULL},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':4,'kernel_size':3,'activation':{'class_name':"
               "'PReLU','config':{}}}}" END,
         "unknown activation 'PReLU'", "'odd'"},
        {INPUT "{'class_name':'Flatten'},{'class_name':'Dense','config':{'units':3,'activation':'softmax'}},"
               "{'class_name':'Dropout','config':{'name':'odd','rate':0.5}}]",
         "before the last activation", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':3,'kernel_size':7,'activation':'softmax'}},"
               "{'class_name':'Flatten'}]",
         "channels of each position", "'odd'"},
        {INPUT "{'class_name':'Flatten'},{'class_name':'Dense','config':{'units':3,'activation':'softmax'}},"
               "{'class_name':'Dropout','config':{'name':'odd','rate':0.5}},{'class_name':'Flatten'}]",
         "before the last activation", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':3,'kernel_size':3,'activation':'softmax'}},"
               "{'class_name':'GlobalAveragePooling2D'}]",
         "change its probabilities", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':3,'kernel_size':3,'activation':'sigmoid'}},"
               "{'class_name':'GlobalMaxPooling2D'}]",
         "change its probabilities", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'filters':1,'kernel_size':[8,6]}},{'class_name':'Softmax','config':"
               "{'name':'odd','axis':2}},{'class_name':'Flatten'}]",
         "change its probabilities", "'odd'"},
        {INPUT "{'class_name':'Flatten'},{'class_name':'Dense','config':{'name':'odd','units':3,'activation':"
               "'softmax'}},{'class_name':'Rescaling','config':{'scale':2}}]",
         "change its probabilities", "'odd'"},
        {INPUT "{'class_name':'Flatten'},{'class_name':'Dense','config':{'units':3,'activation':"
               "'sigmoid'}},{'class_name':'Rescaling','config':{'scale':10}}]",
         NULL, NULL},
        {INPUT "{'class_name':'Conv2D','config':{'name':'odd','filters':4,'kernel_size':3,'activation':{'class_name':"
               "'Softmax','config':{'axis':1}}}}" END,
         "\"axis\" of its activation Softmax", "'odd'"},
        {INPUT "{'class_name':'Conv2D','config':{'filters':4,'kernel_size':3,'activation':{'class_name':"
               "'Softmax','config':{'axis':3}}}},{'class_name':'Flatten'},{'class_name':'Dense','config':{'units':3,"
               "'activation':{'class_name':'Softmax','config':{'axis':[1]}}}}]",
         NULL, NULL},
        {"[{'class_name':'InputLayer','config':{'name':'odd','batch_shape':[null,8,8,1],'dtype':'bool'}}" END,
         "no images of dtype 'bool'", "'odd'"},
        {"[{'class_name':'InputLayer','config':{'name':'odd','batch_shape':[null,8,8,1],'dtype':'string'}}" END,
         "no images of dtype 'string'", "'odd'"},
        {"[{'class_name':'InputLayer','config':{'name':'odd','batch_shape':[null,8,8,1],'dtype':'complex64'}}" END,
         "no images of dtype 'complex64'", "'odd'"},
        {INPUT "{'class_name':'ReLU','module':'__main__','config':{'name':'odd'},'registered_name':'ReLU'}" END,
         "of the module '__main__'", "'odd'"},
        {INPUT "{'class_name':'ReLU','module':'keras.layers','config':{}}" END, NULL, NULL},
        {INPUT "{'class_name':'LSTM','config':{'name':'odd','units':4}}" END,
         "layer 'odd': dcnn has no layer LSTM; docs/networks.md lists those it has", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].refusal)
            assert_fails(try_description(cases[i].layers), DCNN_BAD_INPUT, cases[i].refusal, cases[i].place);
        else
            assert_ok(try_description(cases[i].layers));
}

/* Settings that no layer can have, and inputs that do not fit it: each is named, with what may stand there. */
static const struct {
    bool flat; /* its input is a row of 64 numbers, not 8x8x1 */
    const char *class_name, *config, *fragment;
} wrong_settings[] = {
    {0, "Conv2D", "'filters':2,'kernel_size':[3,0]", "one or two whole numbers from 1"},
    {0, "Conv2D", "'filters':2,'kernel_size':[3,3,3]", "one or two whole numbers from 1"},
    {0, "Conv2D", "'filters':2,'kernel_size':3,'use_bias':1", "\"use_bias\" must be true or false"},
    {1, "Conv2D", "'filters':2,'kernel_size':3", "needs an input of shape (height, width, channels)"},
    {0, "Conv2D", "'filters':2,'kernel_size':3,'bias_initializer':'odd'", "unknown initializer 'odd'; there are "},
    {0, "Conv2D", "'filters':2,'kernel_size':3,'bias_initializer':{'class_name':'Constant','config':{'value':'1'}}",
     "its \"value\" must be a number"},
    {0, "Conv2D",
     "'filters':2,'kernel_size':3,'bias_initializer':{'class_name':'VarianceScaling','config':{'scale':0}}",
     "its \"scale\" must be above 0"},
    {0, "Conv2D",
     "'filters':2,'kernel_size':3,'bias_initializer':{'class_name':'VarianceScaling','config':{'mode':'fan'}}",
     "its \"mode\" must be"},
    {0, "Conv2D", "'filters':2,'kernel_size':[257,1],'dilation_rate':[16777216,1]", "spans more than any image"},
    {0, "Conv2DTranspose", "'filters':2,'kernel_size':[257,1],'dilation_rate':[16777216,1]",
     "spans more than any image"},
    {0, "Conv2D", "'filters':65536,'kernel_size':16777216,'padding':'same'", "its weight 'kernel' is too large"},
    {0, "Conv2DTranspose", "'filters':2,'kernel_size':1,'strides':[16777216,1]", "is too large"},
    {0, "PReLU", "'shared_axes':[0]", "\"shared_axes\" must be from 1 to 3"},
    {0, "PReLU", "'shared_axes':4", "\"shared_axes\" must be from 1 to 3"},
    {0, "Reshape", "'target_shape':[-1,-1,-1]", "does not fit its target_shape"},
    {0, "Reshape", "'target_shape':[-1,-1,-1,-1]", "does not fit its target_shape"},
    {0, "BatchNormalization", "'axis':4", "\"axis\" must be an axis of its input"},
    {0, "BatchNormalization", "'axis':4294967297", "\"axis\" must be an axis of its input"},
    {0, "LayerNormalization", "'axis':4294967297", "\"axis\" must be an axis of its input"},
    {0, "LayerNormalization", "'axis':0", "\"axis\" must be an axis of its input"},
    {0, "GroupNormalization", "'groups':3", "3 groups do not divide 1 channels"},
    {1, "DepthwiseConv2D", "'kernel_size':3", "needs an input of shape (height, width, channels)"},
    {0, "DepthwiseConv2D", "'kernel_size':9", "smaller than its filter"},
    {0, "SeparableConv2D", "'filters':2,'kernel_size':9", "smaller than its filter"},
    {1, "Conv2DTranspose", "'filters':2,'kernel_size':3", "needs an input of shape (height, width, channels)"},
    {0, "Conv2DTranspose", "'filters':2,'kernel_size':3,'strides':2,'output_padding':2", "below the strides"},
    {0, "Conv2DTranspose", "'filters':2,'kernel_size':3,'strides':2,'output_padding':'1'", "below the strides"},
    {0, "Dropout", "'rate':0.5,'noise_shape':[null,2,1,1]", "\"noise_shape\" must be null"},
    {0, "ZeroPadding2D", "'padding':-1", "a whole number, a pair of them, or a pair of pairs"},
    {0, "ZeroPadding2D", "'padding':[[1,2],[1]]", "a whole number, a pair of them, or a pair of pairs"},
    {1, "ZeroPadding2D", "'padding':1", "does not fit an input of shape"},
    {0, "Cropping2D", "'cropping':4", "does not fit an input of shape"},
    {0, "UpSampling2D", "'size':65536", "does not fit an input of shape"},
    {1, "Resizing", "'height':4,'width':4", "does not fit an input of shape"},
    {0, "MaxPooling2D", "'pool_size':256", "a pooling window of (256, 256) is too large"},
    {1, "MaxPooling2D", "'pool_size':2", "needs an input of shape (height, width, channels)"},
    {1, "GlobalAveragePooling2D", "'keepdims':false", "needs an input of shape (height, width, channels)"},
    {0, "RandomFlip", "'mode':'diagonal'", "\"mode\" must be horizontal, vertical or horizontal_and_vertical"},
    {0, "RandomFlip", "'mode':'horizontally'", "\"mode\" must be horizontal, vertical or horizontal_and_vertical"},
    {0, "RandomFlip", "'fill_mode':'mirror'", "\"fill_mode\" must be reflect, wrap, constant or nearest"},
    {0, "RandomRotation", "'factor':'much'", "\"factor\" must be a number or a pair of them"},
    {0, "RandomRotation", "'factor':[0.2,0.1]", "\"factor\" must lie between -1 and 1"},
    {0, "RandomTranslation", "'height_factor':0.1,'width_factor':2", "\"width_factor\" must lie between -1 and 1"},
    {0, "RandomZoom", "'height_factor':[-1,0]", "a zoom factor must be above -1"},
    {0, "RandomContrast", "'factor':-0.1", "\"factor\" must be a number or a pair of them from 0"},
    {0, "RandomContrast", "'factor':1,'value_range':[1,0]", "\"value_range\" must be two numbers, the lower"},
    {1, "RandomFlip", "'mode':'horizontal'", "needs images, not an input of shape"},
    {0, "Rescaling", "'scale':['1']", "\"scale\" must be a number, or one for each channel"},
    {0, "Rescaling", "'scale':[1,2]", "names 2 channels, but its input has 1"},
    {0, "SpatialDropout2D", "'data_format':'channels_first'", "\"data_format\" can only be \"channels_last\""},
    {0, "Flatten", "'data_format':'channels'", "\"channels_last\" or \"channels_first\""},
    {0, "Reshape", "'target_shape':[8,8]", "\"target_shape\" must be"},
    {0, "Reshape", "'target_shape':[8,9,1]", "does not fit its target_shape"},
    {0, "Reshape", "'target_shape':[-1,9,1]", "does not fit its target_shape"},
    {0, "Reshape", "'target_shape':[16777216,16777216,16777216]", "does not fit its target_shape"},
    {0, "Permute", "'dims':[1,2,4,3]", "only from a Reshape or Permute"},
    {0, "Permute", "'dims':[4294967297,2,3]", "\"dims\" must be 1, 2 and 3 in some order"},
    {0, "Permute", "'dims':[2,1,4,3]", "\"dims\" must be 1, 2 and 3 in some order"},
    {0, "Reshape", "'target_shape':[4,2,-1,-1]", "does not fit its target_shape"},
    {0, "Reshape", "'target_shape':[-1,-1,2,2]", "does not fit its target_shape"},
    {0, "Permute", "'dims':[1,1,2]", "\"dims\" must be 1, 2 and 3 in some order"},
    {1, "Permute", "'dims':[3,1,2]", "needs an input of shape (height, width, channels)"},
    {0, "Activation", "'trainable':true", "has no \"activation\""},
    {0, "Softmax", "'axis':4", "\"axis\" must be an axis of its input"},
    {0, "Softmax", "'axis':0", "\"axis\" must be an axis of its input"},
    {0, "Softmax", "'axis':[1,-3]", "\"axis\" must be an axis of its input"},
    {1, "Softmax", "'axis':2", "\"axis\" must be an axis of its input"},
    {0, "Normalization", "'axis':0,'mean':1,'variance':1", "\"axis\" must be an axis of its input"},
    {1, "Normalization", "'axis':3,'mean':1,'variance':1", "\"axis\" must be an axis of its input"},
    {0, "Normalization", "'axis':1,'mean':[1,2],'variance':[1,2]", "\"mean\" must be a number, or one for each"},
    {0, "Normalization", "'mean':1,'variance':'1'", "\"variance\" must be a number, or one for each"},
    {0, "Normalization", "'mean':1", "one of \"mean\" and \"variance\" without the other"},
    {0, "Conv2D", "'filters':2,'kernel_size':3,'dilatation_rate':2", "no option \"dilatation_rate\" of it"},
    {1, "Dense", "'units':3,'use_bais':false", "no option \"use_bais\" of it"},
    {0, "ReLU", "'alpha':0.1", "no option \"alpha\" of it"},
    {0, "Flatten", "'axis':1", "no option \"axis\" of it"},
    {0, "RandomCrop", "'height':4", "\"width\" must be a whole number"},
    {1, "RandomCrop", "'height':4,'width':4", "needs images, not an input of shape"},
};

static void test_refused_settings(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong_settings / sizeof *wrong_settings; i++) {
        char layers[600];
        snprintf(layers, sizeof layers, INPUT "%s{'class_name':'%s','config':{'name':'odd',%s}}" END,
                 wrong_settings[i].flat ? "{'class_name':'Flatten'}," : "", wrong_settings[i].class_name,
                 wrong_settings[i].config);
        assert_fails(try_description(layers), DCNN_BAD_INPUT, wrong_settings[i].fragment, "'odd'");
    }
    static const char *const inputs[] = {"[null,0,8,1]", "[null,8,8,-1]", "[null,'8',8,1]", "[null,8,8,1,1]"};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char layers[300];
        snprintf(layers, sizeof layers, "[{'class_name':'InputLayer','config':{'batch_shape':%s}}" END, inputs[i]);
        assert_fails(try_description(layers), DCNN_BAD_INPUT, "shape", "");
    }
}

/* Whole numbers as they are, by whichever of its inputs a layer reads them. */
static void test_bytes_by_another_way(void **state) {
    (void)state;
    json_t *description = parse(
        "{'class_name':'Functional','config':{'name':'f','layers':["
        "{'class_name':'InputLayer','name':'in','config':{'name':'in','batch_shape':[null,4,4,1],'dtype':'uint8'},"
        "'inbound_nodes':[]},"
        "{'class_name':'Rescaling','name':'r','config':{'name':'r','scale':0.1},'inbound_nodes':[[['in',0,0,{}]]]},"
        "{'class_name':'Add','name':'odd','config':{'name':'odd'},'inbound_nodes':[[['r',0,0,{}],['in',0,0,{}]]]},"
        "{'class_name':'Flatten','name':'f','config':{'name':'f'},'inbound_nodes':[[['odd',0,0,{}]]]},"
        "{'class_name':'Dense','name':'d','config':{'name':'d','units':3,'activation':'softmax'},"
        "'inbound_nodes':[[['f',0,0,{}]]]}],'input_layers':[['in',0,0]],'output_layers':[['d',0,0]]}}");
    dcnn_net *net = NULL;
    assert_fails(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_BAD_INPUT, "whole numbers", "'odd'");
    json_decref(description);
}

/* A call names its layer: which of two of one name? Whether it is wanted or not. */
static void test_two_of_one_name(void **state) {
    (void)state;
    json_t *description = parse(
        "{'class_name':'Functional','config':{'name':'f','layers':["
        "{'class_name':'InputLayer','name':'in','config':{'name':'in','batch_shape':[null,4,4,1]},'inbound_nodes':[]},"
        "{'class_name':'ReLU','name':'odd','config':{'name':'odd'},'inbound_nodes':[[['in',0,0,{}]]]},"
        "{'class_name':'ELU','name':'odd','config':{'name':'odd'},'inbound_nodes':[[['in',0,0,{}]]]},"
        "{'class_name':'Flatten','name':'f','config':{'name':'f'},'inbound_nodes':[[['odd',0,0,{}]]]},"
        "{'class_name':'Dense','name':'d','config':{'name':'d','units':3,'activation':'softmax'},"
        "'inbound_nodes':[[['f',0,0,{}]]]}],'input_layers':[['in',0,0]],'output_layers':[['d',0,0]]}}");
    dcnn_net *net = NULL;
    assert_fails(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_BAD_INPUT, "two layers", "'odd'");
    json_decref(description);
}

/* Keras numbers the groups of a .keras by class: a Softmax along height and one along channels are of one. */
static void test_places_of_one_class(void **state) {
    (void)state;
    json_t *description = sequential(INPUT "{'class_name':'Softmax','config':{'axis':2}},{'class_name':'Softmax'}" END);
    dcnn_net *net = NULL;
    char path[DCNN_PATH_BYTES];
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    dcnn_net_written_path(net, 1, path);
    assert_string_equal(path, "layers/softmax");
    dcnn_net_written_path(net, 2, path);
    assert_string_equal(path, "layers/softmax_1");
    dcnn_net_free(net);
    json_decref(description);
}

/* Keras hands on the whole image behind a RandomCrop: a Resizing stands there, once, wherever the layer is called. */
static void test_crops_are_settled(void **state) {
    (void)state;
    json_t *description = parse(
        "{'class_name':'Functional','config':{'name':'f','layers':["
        "{'class_name':'InputLayer','name':'in','config':{'name':'in','batch_shape':[null,8,8,1]},'inbound_nodes':[]},"
        "{'class_name':'ReLU','name':'r','config':{'name':'r'},'inbound_nodes':[[['in',0,0,{}]]]},"
        "{'class_name':'RandomCrop','name':'c','config':{'name':'c','height':6,'width':5},"
        "'inbound_nodes':[[['in',0,0,{}]],[['r',0,0,{}]]]},"
        "{'class_name':'Add','name':'a','config':{'name':'a'},'inbound_nodes':[[['c',1,0,{}],['c',0,0,{}]]]},"
        "{'class_name':'Flatten','name':'f','config':{'name':'f'},'inbound_nodes':[[['a',0,0,{}]]]},"
        "{'class_name':'Dense','name':'d','config':{'name':'d','units':3,'activation':'softmax'},"
        "'inbound_nodes':[[['f',0,0,{}]]]}],'input_layers':[['in',0,0]],'output_layers':[['d',0,0]]}}");
    dcnn_net *net;
    char text[256];
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    json_decref(description);
    const int count = net->node_count;
    assert_true(dcnn_net_crops(net, text));
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(dcnn_net_settle_crops(&net));
        assert_int_equal(net->node_count, count + 2);
        assert_false(dcnn_net_crops(net, text));
    }
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].layer == &dcnn_layer_add)
            for (int j = 0; j < 2; j++) {
                const dcnn_node *resizing = &net->nodes[net->nodes[i].inputs[j]];
                const dcnn_node *source = &net->nodes[net->nodes[resizing->inputs[0]].inputs[0]];
                assert_string_equal(resizing->name, "c_resizing");
                assert_string_equal(source->name, j == 0 ? "r" : "in");
            }
    dcnn_net_free(net);
}

/* A layer's config as a net that was made of `layers` describes it. */
static json_t *described(const char *layers, size_t layer, dcnn_net **net) {
    json_t *description = sequential(layers);
    if (dcnn_net_create(description, (dcnn_shape){0}, net) != DCNN_OK) fail_msg("%s", dcnn_error());
    json_decref(description);
    description = dcnn_net_describe(*net);
    json_t *items = json_object_get(json_object_get(description, "config"), "layers");
    json_t *config = json_incref(json_object_get(json_array_get(items, layer), "config"));
    json_decref(description);
    return config;
}

/* Frozen weights lie where no optimizer moves them, and the flag is handed back. */
static void test_frozen(void **state) {
    (void)state;
    dcnn_net *net;
    json_t *config = described(INPUT "{'class_name':'Conv2D','config':{'filters':2,'kernel_size':3,'trainable':false}},"
                                     "{'class_name':'BatchNormalization','config':{'trainable':false}}" END,
                               1, &net);
    assert_true(json_is_false(json_object_get(config, "trainable")));
    assert_false(net->nodes[1].params[0].trainable);
    assert_false(net->nodes[2].params[0].trainable);
    assert_false(net->nodes[2].synchronised);
    assert_int_equal(net->stage_count, 1);
    assert_true(net->nodes[4].learns && !net->nodes[2].learns);
    json_decref(config);
    dcnn_net_free(net);
}

static void test_initializers(void **state) {
    (void)state;
    dcnn_net *net;
    json_t *config = described(
        INPUT "{'class_name':'BatchNormalization','config':{'gamma_initializer':'zeros','beta_initializer':"
              "{'class_name':'Constant','config':{'value':0.5}},'moving_mean_initializer':'ones',"
              "'moving_variance_initializer':{'class_name':'Constant','config':{'value':2.0}}}},"
              "{'class_name':'Conv2D','config':{'filters':4,'kernel_size':3,'kernel_initializer':'orthogonal'}}" END,
        1, &net);
    dcnn_net_initialise(net, 3);
    static const float expected[4] = {0.0f, 0.5f, 1.0f, 2.0f};
    for (int i = 0; i < 4; i++) assert_true(*dcnn_net_values(net, &net->nodes[1].params[i]) == expected[i]);
    const float *kernel = dcnn_net_values(net, &net->nodes[2].params[0]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) { /* its columns are orthonormal */
            double product = 0.0;
            for (int k = 0; k < 9; k++) product += (double)kernel[k * 4 + i] * (double)kernel[k * 4 + j];
            assert_true(fabs(product - (i == j)) < 1e-6);
        }
    json_t *beta = json_object_get(json_object_get(config, "beta_initializer"), "config");
    assert_true(json_real_value(json_object_get(beta, "value")) == 0.5);
    json_decref(config);
    dcnn_net_free(net);
}

/* What changes nothing where a model is only used is no reason to refuse it. */
static void test_harmless(void **state) {
    (void)state;
    dcnn_net *net;
    json_t *config =
        described(INPUT "{'class_name':'Conv2D','config':{'filters':2,'kernel_size':3,'kernel_constraint':"
                        "{'class_name':'MinMaxNorm','config':{}},'dilation_rate':1}},"
                        "{'class_name':'ReLU','config':{'negative_slope':0,'threshold':0}},{'class_name':'Flatten'},"
                        "{'class_name':'Dense','config':{'units':3}},{'class_name':'Softmax','config':{'axis':1}}]",
                  1, &net);
    assert_non_null(json_object_get(config, "kernel_constraint"));
    assert_int_equal(net->untrainable[0], '\0');
    assert_int_equal(net->nodes[1].params[0].constraint.kind, DCNN_CONSTRAINT_NORM);
    json_decref(config);
    dcnn_net_free(net);
}

/* One rule that dcnn does not have leaves none: part of a penalty is nobody's loss. */
static void test_rules_are_all_or_none(void **state) {
    (void)state;
    dcnn_net *net;
    json_t *config =
        described(INPUT "{'class_name':'Conv2D','config':{'filters':2,'kernel_size':3,'kernel_regularizer':'l2',"
                        "'bias_constraint':'non_neg'}},{'class_name':'Flatten'},{'class_name':'Dense',"
                        "'config':{'units':3,'kernel_constraint':'low_rank','activation':'softmax'}}]",
                  1, &net);
    assert_non_null(strstr(net->untrainable, "layer 'dense' has the kernel_constraint low_rank"));
    assert_false(dcnn_regularizer_is_active(&net->nodes[1].params[0].regularizer));
    assert_int_equal(net->nodes[1].params[1].constraint.kind, DCNN_CONSTRAINT_NONE);
    assert_int_equal(net->nodes[3].params[0].constraint.kind, DCNN_CONSTRAINT_NONE);
    assert_string_equal(json_string_value(json_object_get(config, "kernel_regularizer")),
                        "l2"); /* it is written back */
    json_decref(config);
    dcnn_net_free(net);
}

/* hard_sigmoid is two functions, told apart by who wrote the file. */
static void test_hard_sigmoid(void **state) {
    (void)state;
    dcnn_net *net;
    for (int version = 2; version <= 3; version++) {
        json_t *description =
            json_pack("{s:s, s:s, s:{s:[{s:s, s:{s:[n,i], s:i, s:s}}]}}", "class_name", "Sequential", "keras_version",
                      version == 2 ? "2.15.0" : "3.9.1", "config", "layers", "class_name", "Dense", "config",
                      "batch_shape", 4, "units", 3, "activation", "hard_sigmoid");
        if (version == 2)
            assert_fails(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_BAD_INPUT, "hard_sigmoid of Keras 2",
                         "dense");
        else
            assert_fails(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_BAD_INPUT, "must end in softmax",
                         "dense");
        json_decref(description);
    }
}

/* A net of an input, `middle` called with training=False as Keras 3 writes it, and an end; `more` beside its config. */
static json_t *called_as_at_inference(const char *middle, const char *more) {
    char text[2400];
    const char *call = "'inbound_nodes':[{'args':[{'class_name':'__keras_tensor__','config':{'shape':[null,8,8,1],"
                       "'keras_history':['%s',0,0]}}],'kwargs':{%s}}]";
    char first[400], second[400];
    snprintf(first, sizeof first, call, "in", "'training':false");
    snprintf(second, sizeof second, call, "it", "");
    snprintf(
        text, sizeof text,
        "{'class_name':'Functional','config':{'name':'n','layers':[{'class_name':'InputLayer','name':'in','config':"
        "{'name':'in','batch_shape':[null,8,8,1]},'inbound_nodes':[]},{'class_name':'%s','name':'it','config':"
        "{'name':'it'},%s%s},{'class_name':'GlobalAveragePooling2D','name':'out','config':{'name':'out'},%s}],"
        "'input_layers':[['in',0,0]],'output_layers':[['out',0,0]]}}",
        middle, more, first, second);
    for (char *at = text; *at; at++)
        if (*at == '\'') *at = '"';
    json_t *description = json_loads(text, 0, NULL);
    assert_non_null(description);
    return description;
}

/* Dropout's training=False is Keras' default, which says nothing; elsewhere somebody has said it. What dcnn writes
 * reads back as it was. */
static void test_called_as_at_inference(void **state) {
    (void)state;
    static const struct {
        const char *layer, *more;
        bool inference;
    } cases[] = {{"Dropout", "", false},          {"GaussianNoise", "", false},
                 {"SpatialDropout2D", "", false}, {"BatchNormalization", "", true},
                 {"RandomFlip", "", true},        {"Dropout", "'dcnn_inference':true,", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *description = called_as_at_inference(cases[i].layer, cases[i].more);
        dcnn_net *net = NULL, *again = NULL;
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
        assert_int_equal(net->nodes[1].inference, cases[i].inference);
        json_decref(description);
        description = dcnn_net_describe(net);
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &again));
        assert_int_equal(again->nodes[1].inference, cases[i].inference);
        json_decref(description);
        dcnn_net_free(net);
        dcnn_net_free(again);
    }
}

/* Keras' constructor of SpatialDropout2D takes no "trainable". */
static void test_spatial_dropout_as_keras_takes_it(void **state) {
    (void)state;
    json_t *description = called_as_at_inference("SpatialDropout2D", "");
    dcnn_net *net = NULL;
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    json_decref(description);
    description = dcnn_net_describe(net);
    const json_t *layers = json_object_get(json_object_get(description, "config"), "layers");
    const json_t *config = json_object_get(json_array_get(layers, 1), "config");
    static const char *const keys[] = {"name", "dtype", "rate", "seed", "data_format"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) assert_non_null(json_object_get(config, keys[i]));
    assert_int_equal(json_object_size(config), sizeof keys / sizeof *keys);
    json_decref(description);
    dcnn_net_free(net);
}

static void test_description_files(void **state) {
    (void)state;
    json_t *read;
    assert_fails(dcnn_description_read(in_scratch("none.json"), &read), DCNN_BAD_INPUT, "No such file", "none.json");
    put_text(in_scratch("bad.json"), "{\"class_name\":\n \"Sequential\", }");
    assert_fails(dcnn_description_read(in_scratch("bad.json"), &read), DCNN_BAD_INPUT, "not valid JSON", "bad.json:2:");
    put_text(in_scratch("list.json"), "[1, 2]");
    assert_fails(dcnn_description_read(in_scratch("list.json"), &read), DCNN_BAD_INPUT, "not an object", "list.json");
    assert_null(read);
}

/* data/models/digits.json is the recipe's net. */
static void test_recipe(void **state) {
    (void)state;
    json_t *description;
    dcnn_net *net;
    assert_ok(dcnn_description_read(DCNN_SOURCE_DIR "/data/models/digits.json", &description));
    assert_ok(dcnn_net_create(description, (dcnn_shape){3, 28, 28, 1}, &net));
    json_decref(description);
    size_t trainable = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++)
            if (net->nodes[i].params[j].trainable) trainable += net->nodes[i].params[j].count;
    assert_int_equal(trainable, 507274);
    assert_int_equal(net->class_count, 10);
    dcnn_net_free(net);
}

/* Keras' layers of augmentation that dcnn does not have are kept, and refused in training with what to give. */
static void layers_that_only_train_pass_at_inference(void **state) {
    (void)state;
    for (int i = 0; i < dcnn_layer_other_count; i++) {
        char layers[400];
        dcnn_net *net, *plain;
        snprintf(layers, sizeof layers,
                 INPUT "{'class_name':'%s','config':{'name':'odd','height':8,'width':8,'factor':0.25,'seed':7}}" END,
                 dcnn_layer_others[i].class_name);
        json_t *again = described(layers, 1, &net);
        assert_true(json_real_value(json_object_get(again, "factor")) == 0.25);
        assert_int_equal(json_integer_value(json_object_get(again, "seed")), 7);
        assert_non_null(strstr(net->untrainable, dcnn_layer_others[i].class_name));
        assert_non_null(strstr(net->untrainable, dcnn_layer_others[i].instead));
        json_decref(again);
        json_t *other = described(INPUT "{'class_name':'Dropout','config':{'name':'odd'}}" END, 1, &plain);
        const dcnn_plan_options options = {.grain = 1, .slots = 1, .workers = 1};
        dcnn_plan *plans[2];
        for (int k = 0; k < 2; k++) {
            dcnn_net *one = k ? plain : net;
            dcnn_net_initialise(one, 3);
            assert_ok(dcnn_plan_create(one, dcnn_kernels_of(DCNN_ISA_REFERENCE), &options, &plans[k]));
            for (int at = 0; at < 64; at++) dcnn_plan_input(plans[k], 0)[at] = (float)(at % 7);
            dcnn_plan_prepare(plans[k], 0);
            dcnn_plan_run(plans[k], 0, 0, 0, &(dcnn_grain){.n = 1});
        }
        assert_memory_equal(dcnn_plan_output(plans[0], 0), dcnn_plan_output(plans[1], 0), 3 * sizeof(float));
        json_decref(other);
        for (int k = 0; k < 2; k++) dcnn_plan_free(plans[k]);
        dcnn_net_free(net);
        dcnn_net_free(plain);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_odd_but_legal),
        cmocka_unit_test(test_refused_settings),
        cmocka_unit_test(test_bytes_by_another_way),
        cmocka_unit_test(test_two_of_one_name),
        cmocka_unit_test(test_places_of_one_class),
        cmocka_unit_test(test_crops_are_settled),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_initializers),
        cmocka_unit_test(test_harmless),
        cmocka_unit_test(test_rules_are_all_or_none),
        cmocka_unit_test(test_hard_sigmoid),
        cmocka_unit_test(test_called_as_at_inference),
        cmocka_unit_test(test_spatial_dropout_as_keras_takes_it),
        cmocka_unit_test(test_description_files),
        cmocka_unit_test(test_recipe),
        cmocka_unit_test(layers_that_only_train_pass_at_inference),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
