/* SPDX-License-Identifier: MIT */

/*
 * libzmq.h - what the C programs of the bench share: a check that ends the program, a clock.
 */
#ifndef BENCH_LIBZMQ_H
#define BENCH_LIBZMQ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

/* Ends the program, with the place and libzmq's own words, unless `ok`. */
#define CHECK(ok)                                                                          \
  do {                                                                                     \
    if (!(ok)) {                                                                           \
      fprintf (stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #ok, zmq_strerror (zmq_errno ())); \
      exit (1);                                                                            \
    }                                                                                      \
  } while (0)

/* Microseconds by the clock that JavaScript's performance.now() reads too. */
static double now_us (void)
{
  struct timespec at;
  clock_gettime (CLOCK_MONOTONIC, &at);
  return (double) at.tv_sec * 1e6 + (double) at.tv_nsec / 1e3;
}

#endif
