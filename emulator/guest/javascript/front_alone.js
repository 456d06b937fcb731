// The worker in front of a script in service-worker format, which can have no entrypoint of ours.

import { env } from "cloudflare:workers";
import { front } from "./groundfog/front.js";

export default front((request) => env.USER.fetch(request));
