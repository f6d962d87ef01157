/* SPDX-License-Identifier: MIT */

/*
 * libzmq.h - what the C programs of the bench share: a check that ends the program, a clock, a
 * message with its number sent and received in either way, the proxy between two threads.
 *
 *      copy      zmq_send from one buffer, zmq_recv into one buffer: libzmq copies both times
 *      message   zmq_msg_init_size, memcpy, zmq_msg_send; zmq_msg_recv and a look at the body where
 *                it lies, zmq_msg_close: copied once, the body allocated when above 33 bytes
 */
#ifndef BENCH_LIBZMQ_H
#define BENCH_LIBZMQ_H

#include <pthread.h>
#include <stdint.h>
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
static inline double now_us (void)
{
  struct timespec at;
  clock_gettime (CLOCK_MONOTONIC, &at);
  return (double) at.tv_sec * 1e6 + (double) at.tv_nsec / 1e3;
}

/* The word at `body`, which is a message's number wherever nothing else is said. */
static inline uint32_t word_of (const char *body)
{
  uint32_t word;
  memcpy (&word, body, sizeof word);
  return word;
}

static inline void set_word (char *body, uint32_t word)
{
  memcpy (body, &word, sizeof word);
}

/* Ends the program unless a message has the number that it should have. */
static inline void look (uint32_t number, uint32_t expected)
{
  if (number != expected) {
    fprintf (stderr, "message %u says %u\n", expected, number);
    exit (1);
  }
}

static inline void send_body (void *socket, int is_message, const char *body, size_t size)
{
  if (!is_message) {
    CHECK (zmq_send (socket, body, size, 0) == (int) size);
  } else {
    zmq_msg_t message;
    CHECK (zmq_msg_init_size (&message, size) == 0);
    memcpy (zmq_msg_data (&message), body, size);
    CHECK (zmq_msg_send (&message, socket, 0) == (int) size);
  }
}

/* Waits for a message of this size, and returns the word that lies `at` so many bytes in it. */
static inline uint32_t receive_word (void *socket, int is_message, char *buffer, size_t size,
  size_t at)
{
  if (!is_message) {
    CHECK (zmq_recv (socket, buffer, size, 0) == (int) size);
    return word_of (buffer + at);
  }
  zmq_msg_t message;
  CHECK (zmq_msg_init (&message) == 0);
  CHECK (zmq_msg_recv (&message, socket, 0) == (int) size);
  const uint32_t word = word_of ((const char *) zmq_msg_data (&message) + at);
  CHECK (zmq_msg_close (&message) == 0);
  return word;
}

static inline void *open_socket (void *context, int type)
{
  void *socket = zmq_socket (context, type);
  CHECK (socket != NULL);
  return socket;
}

static inline void set_option (void *socket, int option, int value)
{
  CHECK (zmq_setsockopt (socket, option, &value, sizeof value) == 0);
}

/* A zmq_proxy in a thread of its own; it ends when the context is shut down. */
struct proxy
{
  pthread_t thread;
  void *front;
  void *back;
};

static inline void *run_proxy (void *given)
{
  struct proxy *proxy = given;
  CHECK (zmq_proxy (proxy->front, proxy->back, NULL) == -1 && zmq_errno () == ETERM);
  zmq_close (proxy->front);
  zmq_close (proxy->back);
  return NULL;
}

/* Both sockets are bound here, by the calling thread, which leaves them to the new one. */
static inline void start_proxy (struct proxy *proxy, void *context, int front, int back)
{
  proxy->front = open_socket (context, front);
  proxy->back = open_socket (context, back);
  CHECK (zmq_bind (proxy->front, "inproc://front") == 0);
  CHECK (zmq_bind (proxy->back, "inproc://back") == 0);
  CHECK (pthread_create (&proxy->thread, NULL, run_proxy, proxy) == 0);
}

static inline void end_proxy (struct proxy *proxy, void *context)
{
  CHECK (zmq_ctx_shutdown (context) == 0);
  pthread_join (proxy->thread, NULL);
}

static inline void print_rate (double count, double took_us)
{
  printf ("{\"rate\": %.0f, \"seconds\": %.6f}\n", count / took_us * 1e6, took_us / 1e6);
}

#endif
