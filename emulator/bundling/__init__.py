"""Makes of a project's TypeScript or JavaScript the modules that workerd runs.

It drives esbuild as wrangler does, without Node.js. It knows no engine, no server and no workerd
process. Start at `bundler.py`; what comes out is in `bundle.py`.
"""
