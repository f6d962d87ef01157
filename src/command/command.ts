// SPDX-License-Identifier: MIT

/**
 * command — the closed list of things one thread may say to another.
 *
 * Threads share messages through pipes and say everything else by commands. A command is a bit in a
 * block that lives where the thing it is about lives: each end of a pipe has one, and each thread
 * has one for itself. To post is to set the bit and, if the block had none, to push the block on
 * the receiver's mailbox; to receive is to take the block and then its bits, all at once.
 *
 *           +0       +1       +2       +3
 *         +--------+--------+--------+--------+
 *         | next   | bits   | slot   | object |
 *         +--------+--------+--------+--------+
 *          mailbox  Atomics  whose    target: its number in that thread's table (thread.ts)
 *          link     only     mailbox
 *
 * So a command needs no memory: it cannot fail when the arena is full, cannot be lost, and cannot
 * pile up. Saying a thing twice before it is heard is saying it once; hence every command means
 * "look at this, it has changed", and what it is now stands in shared memory.
 *
 *   bit              from → to                          what to look at
 *   ───────────────  ─────────────────────────────────  ───────────────────────────────────────────
 *   BIND             who completes a link → binder      a pipe was assigned to you: attach it
 *   ACTIVATE_READ    pipe writer → its sleeping reader  there are messages, or a chunk to leave
 *   ACTIVATE_WRITE   pipe reader → its waiting writer   there is room, or the watermark has changed
 *   PIPE_TERM        an end → its peer                  I have left the pipe, or am leaving it
 *   STOP             who terminates → every thread      the context is terminated: close sockets
 *   REAPED           who closes the last → every thread no socket is left in a terminated context
 *   MEMORY           who frees → every thread           memory is wanted: give back; and try again
 *   LOG              a thread → itself                  something is to be told to the log
 *   TAKEN            (the owner of the block itself)    it has been taken from the mailbox
 *   CLOSED           (the owner of the block itself)    nobody is here: do not push
 *
 * Commands of libzmq that are not needed: pipe_term_ack (an end's leaving is one step on a shared
 * word), pipe_hwm (watermarks are shared words), own, term_req, term, reap (no ownership tree).
 *
 * # Invariants
 *
 *   I1  A block is on a mailbox, or on its way there, if and only if it has a bit other than
 *       CLOSED and TAKEN.
 *   I2  CLOSED is set while nobody receives for the block: before it is attached, and after it was
 *       withdrawn. Beside other bits: it is being withdrawn, and may still be under way. Alone: its
 *       memory may be freed.
 *
 * # Synchronisation
 *
 *   SYNC(post)   setting a bit ⇒ taking the bits     all that the sender did before it posted
 *
 * # If a thread dies
 *
 * A sender that dies between setting the first bit and pushing leaves a block that nobody pushes.
 * So with the first bit it leaves its name, and the block's owner, told of the death, looks for
 * blocks that carry it and have not arrived (thread.ts).
 *
 *      bits   0 … 7  commands   8 … 15  slot   16 … 28  its incarnation   29  TAKEN   30  CLOSED
 *                               of who set the first bit
 */
export const BLOCK_NEXT = 0;
export const BLOCK_BITS = 1;
export const BLOCK_SLOT = 2;
export const BLOCK_OBJECT = 3;

export const BIND = 1;
export const ACTIVATE_READ = 2;
export const ACTIVATE_WRITE = 4;
export const PIPE_TERM = 8;
export const STOP = 16;
export const REAPED = 32;
export const MEMORY = 64;
export const LOG = 128;
export const TAKEN: number = 1 << 29;
export const CLOSED: number = 1 << 30;
/** The commands among the bits of a block. */
export const COMMANDS = 255;
