/* libFuzzer target that embeds CPython and hands each input to a Python function.
 *
 * Extension modules built with -fsanitize=fuzzer-no-link,address find the runtimes in this program, so the coverage
 * that steers libFuzzer is that of the compiled engine and nothing else. The Python function holds the oracles: an
 * exception that leaves it is a finding, printed and turned into an abort, for which libFuzzer keeps the input.
 *
 * Environment: HIGHPER_FUZZ_HARNESS names the module whose `one_input(data: bytes)` is called; HIGHPER_FUZZ_PYTHON is
 * the interpreter whose site-packages are used; PYTHONPATH leads to harness and instrumented build.
 */
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static PyObject *one_input;

static void give_up(void) {
    PyErr_Print();
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *harness = getenv("HIGHPER_FUZZ_HARNESS"), *python = getenv("HIGHPER_FUZZ_PYTHON");
    PyConfig config;
    PyStatus status;
    PyObject *module;
    (void)argc;
    (void)argv;
    if (harness == NULL || python == NULL) {
        fputs("HIGHPER_FUZZ_HARNESS and HIGHPER_FUZZ_PYTHON must be set; start this through run.py\n", stderr);
        exit(2);
    }
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    status = PyConfig_SetBytesString(&config, &config.executable, python);
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) Py_ExitStatusException(status);
    module = PyImport_ImportModule(harness);
    if (module == NULL) give_up();
    one_input = PyObject_GetAttrString(module, "one_input");
    if (one_input == NULL) give_up();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PyObject *input = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size), *result;
    if (input == NULL) give_up();
    result = PyObject_CallOneArg(one_input, input);
    Py_DECREF(input);
    if (result == NULL) give_up();
    Py_DECREF(result);
    return 0;
}
