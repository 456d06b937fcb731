// How workerd writes what is given to the methods of `console`.

import { format } from "node-internal:internal_inspect";

export default function () {
  return format;
}
