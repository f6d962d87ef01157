/* SPDX-License-Identifier: MIT */

/*
 * inproc_thr - libzmq's own throughput over inproc, as a user of the C API would have it.
 *
 *      inproc_thr copy|message SIZE COUNT WARMUP SOCKETS PROXY
 *      inproc_thr version
 *
 * A second thread sends from SOCKETS PUSH sockets (one after the other) to the PULL of the main
 * thread, with the default high watermarks. The clock runs from the message after WARMUP to the
 * last. If PROXY is 1, a zmq_proxy from a PULL to a PUSH is between them, in a third thread.
 *
 * As in every program of this bench, the sender writes the message's number into the first four
 * bytes of its buffer before each send, and the receiver reads it and compares, and looks at the
 * length. The two ways to send and receive are described in libzmq.h.
 *
 * libzmq's own perf/inproc_thr sends messages whose bodies nobody writes or reads; this is a
 * little more work.
 *
 * What is not equal: nothing here becomes an object of a language with garbage collection. The
 * receiver's buffer is overwritten by the next message; a receiver in JavaScript gets one that it
 * may keep.
 */

#include <sys/resource.h>
#include "libzmq.h"

static int is_message;
static size_t size;
static uint32_t total;
static int socket_count;
static const char *endpoint;
static void *context;

static void *sender (void *unused)
{
  void **push = malloc ((size_t) socket_count * sizeof *push);
  char *body = calloc (1, size);
  for (int i = 0; i < socket_count; i++) {
    push[i] = open_socket (context, ZMQ_PUSH);
    CHECK (zmq_connect (push[i], endpoint) == 0);
  }
  int turn = 0;
  for (uint32_t number = 0; number < total; number++) {
    set_word (body, number);
    send_body (push[turn], is_message, body, size);
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
static void receive (void *pull, uint32_t from, uint32_t to)
{
  char *body = malloc (size);
  for (uint32_t expected = from; expected < to; expected++) {
    const uint32_t number = receive_word (pull, is_message, body, size, 0);
    look (number, socket_count == 1 || number >= total ? expected : number);
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
  if (argc != 7) {
    fprintf (stderr, "usage: inproc_thr copy|message SIZE COUNT WARMUP SOCKETS PROXY\n");
    return 1;
  }
  is_message = strcmp (argv[1], "message") == 0;
  size = (size_t) atol (argv[2]);
  const uint32_t count = (uint32_t) atol (argv[3]);
  const uint32_t warmup = (uint32_t) atol (argv[4]);
  socket_count = atoi (argv[5]);
  const int has_proxy = atoi (argv[6]);
  total = warmup + count;

  /* Each socket of libzmq holds a file descriptor; so many may be more than is allowed. */
  struct rlimit files;
  getrlimit (RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit (RLIMIT_NOFILE, &files);

  context = zmq_ctx_new ();
  zmq_ctx_set (context, ZMQ_MAX_SOCKETS, socket_count + 10);
  struct proxy proxy;
  if (has_proxy)
    start_proxy (&proxy, context, ZMQ_PULL, ZMQ_PUSH);
  endpoint = has_proxy ? "inproc://front" : "inproc://thr";
  void *pull = open_socket (context, ZMQ_PULL);
  CHECK (has_proxy ? zmq_connect (pull, "inproc://back") == 0 : zmq_bind (pull, endpoint) == 0);
  pthread_t thread;
  CHECK (pthread_create (&thread, NULL, sender, NULL) == 0);

  receive (pull, 0, warmup);
  const double began = now_us ();
  receive (pull, warmup, total);
  const double took = now_us () - began;

  pthread_join (thread, NULL);
  zmq_close (pull);
  if (has_proxy)
    end_proxy (&proxy, context);
  zmq_ctx_term (context);
  print_rate (count, took);
  return 0;
}
