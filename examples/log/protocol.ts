// SPDX-License-Identifier: MIT

/** protocol — who talks to whom, and how much. */

/** The source is bound, the workers connect. */
export const TASKS: string = "inproc://tasks";
/** Main is bound, the workers connect. */
export const RESULTS: string = "inproc://results";

export const WORKER_COUNT = 2;
export const TASK_COUNT = 30;
/** So low that the source has to wait. */
export const HIGH_WATER_MARK = 1;
/** How long a worker is busy with a task. */
export const TASK_MILLISECONDS = 5;
