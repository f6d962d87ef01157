// SPDX-License-Identifier: MIT

/**
 * transport — what an endpoint's scheme leads to.
 *
 *   endpoint   what a name may look like
 *   inproc     links by name between threads of one context
 */
export { Inproc, type Linked } from "./inproc.ts";
