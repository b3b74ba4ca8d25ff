/* SPDX-License-Identifier: BSD-3-Clause */
/* test_task.c — what a run learns: which losses, data, classes and models do not go together; records of runs that
 * are none. */
#include "model_helpers.h"

#include "run/data/task.h"
#include "run/record/run_record.h"

static char *classes[] = {"ant", "bee", "cat"}, *numbers[] = {"width", "height"}, *turned[] = {"height", "width"},
            *others[] = {"a", "b"};

static const dcnn_dataset pictures = {
    .path = "c.h5", .count = 4, .class_count = 3, .class_names = classes, .has_labels = true};
static const dcnn_dataset measures = {.path = "n.h5", .count = 4, .target_width = 2, .target_names = numbers};

static void losses_that_the_data_cannot_have_are_refused(void **state) {
    (void)state;
    dcnn_task task;
    assert_fails(dcnn_task_choose("mean_squared_error", &pictures, &task), DCNN_BAD_INPUT,
                 "learns numbers, but c.h5 has only classes", "--target-columns");
    assert_fails(dcnn_task_choose("categorical_crossentropy", &measures, &task), DCNN_BAD_INPUT,
                 "learns classes, but n.h5", "has only numbers to predict");
    assert_ok(dcnn_task_choose("auto", &pictures, &task));
    assert_true(!task.values && task.units == 3);
}

static dcnn_net *make(int units, const char *activation) {
    char layers[300];
    snprintf(layers, sizeof layers,
             "[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 4]}},"
             " {'class_name': 'Dense', 'config': {'name': 'last', 'units': %d, 'activation': '%s'}}]",
             units, activation);
    return make_net(layers);
}

static void refuse(const dcnn_dataset *data, dcnn_task task, int units, const char *activation, const char *fragment,
                   const char *place) {
    dcnn_net *net = make(units, activation);
    assert_fails(dcnn_task_fit(&task, data, true, net), DCNN_BAD_INPUT, fragment, place);
    dcnn_net_free(net);
}

static void models_of_other_data_are_refused(void **state) {
    (void)state;
    const dcnn_task words = {.loss = DCNN_LOSS_COUNT, .units = 3},
                    values = {.loss = DCNN_LOSS_SQUARED, .values = true, .units = 2};
    refuse(&pictures, words, 4, "softmax", "the model's last layer 'last' has 4 units",
           "but c.h5 has 3 classes: --replace-head");
    refuse(&measures, values, 3, "linear", "has 3 units, but n.h5 has 2 numbers to predict",
           "--replace-head fits it to them");
    dcnn_net *net = make(3, "softmax");
    dcnn_task task;
    assert_ok(dcnn_task_choose("auto", &pictures, &task));
    assert_ok(dcnn_task_fit(&task, &pictures, true, net));
    dcnn_net_free(net);
}

static void outputs_in_another_order_are_refused(void **state) {
    (void)state;
    assert_ok(dcnn_task_check_names(&measures, 2, numbers));
    assert_ok(dcnn_task_check_names(&measures, 2, others)); /* told */
    assert_ok(dcnn_task_check_names(&measures, 2, NULL));
    assert_fails(dcnn_task_check_names(&measures, 2, turned), DCNN_BAD_INPUT,
                 "its targets are in another order ('width', ...)", "than the model's outputs ('height', ...)");
}

static void refuse_record(const char *text, const char *fragment, bool is_damage) {
    json_t *record;
    bool damaged;
    put_text(in_scratch("run.json"), text);
    assert_fails(dcnn_run_record_read(scratch, &record, &damaged), DCNN_BAD_INPUT, fragment, "run.json: ");
    assert_true(damaged == is_damage && record == NULL);
}

static void records_that_are_none_are_refused(void **state) {
    (void)state;
    json_t *record;
    bool damaged;
    assert_ok(dcnn_run_record_read(in_scratch("nowhere"), &record, &damaged));
    assert_true(record == NULL && !damaged);
    refuse_record("", "damaged: the file is empty", true);
    refuse_record("{\"format_version\": 1", "damaged: line 1", true);
    refuse_record("{\"format_version\": 1}", "damaged: it has no list of starts", true);
    refuse_record("{\"format_version\": 99, \"dcnn\": \"9.1\"}", "use the one that wrote it, dcnn 9.1", false);
    refuse_record("{\"format_version\": 99, \"starts\": []}", "dcnn of a newer version", false);
}

/* Two classes of one name are taken in their order, or not at all. */
static void classes_of_one_name_are_not_mixed_up(void **state) {
    (void)state;
    char *set_names[] = {"a", "b", "b"}, *same[] = {"a", "b", "b"}, *other_way[] = {"b", "b", "a"},
         *once[] = {"b", "a", "c"};
    char *plain[] = {"a", "b", "c"}, *twice[] = {"c", "b", "a", "a"};
    dcnn_dataset set = {.path = "x.h5", .class_count = 3, .class_names = set_names};
    assert_ok(dcnn_dataset_adopt_classes(&set, 3, same, "m.h5"));
    assert_null(set.label_map);
    assert_fails(dcnn_dataset_adopt_classes(&set, 3, other_way, "m.h5"), DCNN_BAD_INPUT, "two are called 'b'", "m.h5");
    assert_fails(dcnn_dataset_adopt_classes(&set, 3, once, "m.h5"), DCNN_BAD_INPUT, "two are called 'b'", "m.h5");
    set.class_names = plain;
    assert_fails(dcnn_dataset_adopt_classes(&set, 4, twice, "m.h5"), DCNN_BAD_INPUT, "two are called 'a'", "m.h5");
}

/* Which of the model's numbers some names are, nobody knows; all of them are taken in their order. */
static void names_of_some_numbers_are_refused(void **state) {
    (void)state;
    char *set_names[] = {"cat", "dog"}, *digits[] = {"0", "1", "2"}, *plain[] = {"0", "1"};
    dcnn_dataset set = {.path = "x.h5", .class_count = 2, .class_names = set_names};
    assert_fails(dcnn_dataset_adopt_classes(&set, 3, digits, "m.h5"), DCNN_BAD_INPUT,
                 "2 classes with names ('cat', ...), of 3 that have only numbers in m.h5", "x.h5 has ");
    assert_fails(dcnn_dataset_adopt_classes(&set, 3, NULL, "m.h5"), DCNN_BAD_INPUT, "nothing says which", "x.h5 has ");
    assert_ok(dcnn_dataset_adopt_classes(&set, 2, digits, "m.h5"));
    assert_ok(dcnn_dataset_adopt_classes(&set, 2, NULL, "m.h5"));
    set.class_names = plain;
    assert_ok(dcnn_dataset_adopt_classes(&set, 3, digits, "m.h5"));
    assert_ok(dcnn_dataset_adopt_classes(&set, 3, NULL, "m.h5"));
    assert_null(set.label_map);
    char *some[] = {strdup("2"), strdup("0")};
    set.class_names = malloc(sizeof some);
    memcpy(set.class_names, some, sizeof some);
    assert_ok(dcnn_dataset_adopt_classes(&set, 3, NULL, "m.h5")); /* called by the model's numbers */
    assert_int_equal(set.label_map[0], 2);
    assert_int_equal(set.label_map[1], 0);
    assert_int_equal(set.class_count, 3);
    dcnn_dataset_free(&(dcnn_dataset){.class_count = 3, .class_names = set.class_names, .label_map = set.label_map});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_that_the_data_cannot_have_are_refused),
        cmocka_unit_test(models_of_other_data_are_refused),
        cmocka_unit_test(outputs_in_another_order_are_refused),
        cmocka_unit_test(records_that_are_none_are_refused),
        cmocka_unit_test(classes_of_one_name_are_not_mixed_up),
        cmocka_unit_test(names_of_some_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
