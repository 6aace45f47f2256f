/*
 * Linked into a program that is not position-independent: taking the address of a function of
 * another library makes the linker give it an entry in the program, which then is the address that
 * everybody sees, libpep too. That says nothing about whose Lua it is.
 */
extern int lua_error(void *state);
extern void lua_settop(void *state, int index);
extern int luaL_error(void *state, const char *format, ...);

extern void (*const host_entries[])(void);
void (*const host_entries[])(void) = {(void (*)(void))lua_error, (void (*)(void))lua_settop,
                                      (void (*)(void))luaL_error};
