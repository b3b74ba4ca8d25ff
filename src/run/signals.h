/**
 * @file signals.h — SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 ask for the end; the training loop agrees on it at a step.
 */
#ifndef DCNN_RUN_SIGNALS_H
#define DCNN_RUN_SIGNALS_H

/** From now on the first such signal is only noted; another one, or SIGINT again, ends the process at once. *Local.* */
void dcnn_signals_catch(void);

/** The signal noted so far, or 0. *Local.* */
int dcnn_signals_caught(void);

/** "SIGTERM" etc. *Local.* */
const char *dcnn_signal_name(int number);

#endif
