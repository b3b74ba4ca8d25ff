/* SPDX-License-Identifier: BSD-3-Clause */
/* net_private.h — what net.c, net_read.c and net_write.c share. */
#ifndef DCNN_NN_NET_PRIVATE_H
#define DCNN_NN_NET_PRIVATE_H

#include "nn/layer.h"

/* Fills net->nodes from a description, in topological order, the output last; every node is built. */
dcnn_status dcnn_net_read(dcnn_net *net, const json_t *description, dcnn_shape input);

#endif
