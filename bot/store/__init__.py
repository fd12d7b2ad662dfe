"""Everything Redis: one port per file, one Lua file per atomic act."""
