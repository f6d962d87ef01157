/* SPDX-License-Identifier: MIT */

/*
 * inproc_thr - libzmq's own throughput over inproc, as a user of the C API would have it.
 *
 *      inproc_thr copy|message SIZE COUNT WARMUP SOCKETS
 *      inproc_thr version
 *
 * A second thread sends from SOCKETS PUSH sockets (one after the other) to the PULL of the main
 * thread, with the default high watermarks. The clock runs from the message after WARMUP to the
 * last.
 *
 * As in every program of this bench, the sender writes the message's number into the first four
 * bytes of its buffer before each send, and the receiver reads it and compares, and looks at the
 * length.
 *
 *      copy      zmq_send from one buffer, zmq_recv into one buffer: libzmq copies both times
 *      message   zmq_msg_init_size, memcpy, zmq_msg_send; zmq_msg_recv and a look at the body where
 *                it lies, zmq_msg_close: copied once, the body allocated when above 33 bytes
 *
 * libzmq's own perf/inproc_thr sends messages whose bodies nobody writes or reads; this is a
 * little more work.
 *
 * What is not equal: nothing here becomes an object of a language with garbage collection. The
 * receiver's buffer is overwritten by the next message; a receiver in JavaScript gets one that it
 * may keep.
 */

#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include "libzmq.h"

static int is_message;
static size_t size;
static uint32_t total;
static int socket_count;
static void *context;

static void send_copy (void *push, char *body, uint32_t number)
{
  memcpy (body, &number, sizeof number);
  CHECK (zmq_send (push, body, size, 0) == (int) size);
}

static void send_message (void *push, char *body, uint32_t number)
{
  zmq_msg_t message;
  memcpy (body, &number, sizeof number);
  CHECK (zmq_msg_init_size (&message, size) == 0);
  memcpy (zmq_msg_data (&message), body, size);
  CHECK (zmq_msg_send (&message, push, 0) == (int) size);
}

static void *sender (void *unused)
{
  void **push = malloc ((size_t) socket_count * sizeof *push);
  char *body = calloc (1, size);
  for (int i = 0; i < socket_count; i++) {
    push[i] = zmq_socket (context, ZMQ_PUSH);
    CHECK (push[i] != NULL);
    CHECK (zmq_connect (push[i], "inproc://thr") == 0);
  }
  int turn = 0;
  for (uint32_t number = 0; number < total; number++) {
    if (is_message)
      send_message (push[turn], body, number);
    else
      send_copy (push[turn], body, number);
    if (++turn == socket_count)
      turn = 0;
  }
  for (int i = 0; i < socket_count; i++)
    CHECK (zmq_close (push[i]) == 0);
  free (body);
  free (push);
  return unused;
}

/* Compares the number where there is one sender; where there are many, order is not promised. */
static void look (const char *body, uint32_t expected)
{
  uint32_t number;
  memcpy (&number, body, sizeof number);
  if (socket_count == 1 ? number != expected : number >= total) {
    fprintf (stderr, "message %u says %u\n", expected, number);
    exit (1);
  }
}

static void receive (void *pull, uint32_t from, uint32_t to)
{
  char *body = malloc (size);
  for (uint32_t number = from; number < to; number++) {
    if (is_message) {
      zmq_msg_t message;
      CHECK (zmq_msg_init (&message) == 0);
      CHECK (zmq_msg_recv (&message, pull, 0) == (int) size);
      look (zmq_msg_data (&message), number);
      CHECK (zmq_msg_close (&message) == 0);
    } else {
      CHECK (zmq_recv (pull, body, size, 0) == (int) size);
      look (body, number);
    }
  }
  free (body);
}

int main (int argc, char *argv[])
{
  if (argc == 2 && strcmp (argv[1], "version") == 0) {
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    printf ("%d.%d.%d\n", major, minor, patch);
    return 0;
  }
  if (argc != 6) {
    fprintf (stderr, "usage: inproc_thr copy|message SIZE COUNT WARMUP SOCKETS\n");
    return 1;
  }
  is_message = strcmp (argv[1], "message") == 0;
  size = (size_t) atol (argv[2]);
  const uint32_t count = (uint32_t) atol (argv[3]);
  const uint32_t warmup = (uint32_t) atol (argv[4]);
  socket_count = atoi (argv[5]);
  total = warmup + count;

  /* Each socket of libzmq holds a file descriptor; so many may be more than is allowed. */
  struct rlimit files;
  getrlimit (RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit (RLIMIT_NOFILE, &files);

  context = zmq_ctx_new ();
  zmq_ctx_set (context, ZMQ_MAX_SOCKETS, socket_count + 10);
  void *pull = zmq_socket (context, ZMQ_PULL);
  CHECK (pull != NULL);
  CHECK (zmq_bind (pull, "inproc://thr") == 0);
  pthread_t thread;
  CHECK (pthread_create (&thread, NULL, sender, NULL) == 0);

  receive (pull, 0, warmup);
  const double began = now_us ();
  receive (pull, warmup, total);
  const double took = now_us () - began;

  pthread_join (thread, NULL);
  zmq_close (pull);
  zmq_ctx_term (context);
  printf ("{\"rate\": %.0f, \"seconds\": %.6f}\n", count / took * 1e6, took / 1e6);
  return 0;
}
