// SPDX-License-Identifier: MIT

/**
 * command — how threads tell each other that something has changed, and how they wait for it.
 *
 *   command    the closed list of what may be said
 *   mailbox    where it arrives, from every thread, in order
 *   signaler   waiting: spinning, blocked, or in the event loop
 *   turn       when the event loop has its turn
 *   steps      what is done as a whole, before anybody goes on who waits
 *   thread     one thread's slot: posting, and handing what comes to its target
 */
export * from "./command.ts";
export { FOR_A_MESSAGE, FOR_ROOM } from "./signaler.ts";
export { type CommandTarget, gotMemory, MemoryWish, Thread } from "./thread.ts";
