// SPDX-License-Identifier: MIT

/**
 * transport — what an endpoint's scheme leads to.
 *
 *   endpoint   what a name may look like
 *   inproc     links by name between threads of one context
 *   lingering  links that are kept when their socket has closed
 */
export { Inproc, type Linked } from "./inproc.ts";
