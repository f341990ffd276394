/* Included before every compiled module. What leads to a traceback happens rarely: told so, the compiler moves it out of
   the way, and what runs for every request lies closer together in the processor's caches. */
static void __Pyx_AddTraceback(const char *, int, int, const char *) __attribute__((cold));
