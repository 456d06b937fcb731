// The worker in front of a script in service-worker format, which can have no entrypoint of ours.

import { env } from "cloudflare:workers";
import { front } from "./groundfog/front.js";

const serve = (request) => env.USER.fetch(request);

export const __groundfog_front = front(serve);
export const __groundfog_front_v4 = front(serve, "127.0.0.1");
export const __groundfog_front_v6 = front(serve, "::1");
