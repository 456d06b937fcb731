// A binding that is not emulated: to use it raises an error, to have it does not.

export default function (env) {
  return new Proxy(Object.create(null), {
    get(target, name) {
      if (typeof name === "symbol" || name === "then" || name === "toJSON") return undefined;
      throw new Error(env.message);
    },
  });
}
