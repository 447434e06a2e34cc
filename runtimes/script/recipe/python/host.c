// host.c: the program that runs a script in CPython. It takes the place of CPython's own main program, so that
// a process does before its first read of stdin only what is the same for every call: it starts the interpreter,
// loads the script and runs its top level. Arguments are fetched when the script asks for them.

#include <Python.h>
#include <stdbool.h>
#include <stdlib.h>
#include <wasi/api.h>

enum { SOFTWARE = 70 };

// up tells that the interpreter has started. Before that, its clock stands still: it asks for the time, but makes no
// use of it, and without that all processes start in the same way.
static bool up;

// The linker puts this in the place of __wasi_clock_time_get.
__wasi_errno_t __real___wasi_clock_time_get(__wasi_clockid_t clock, __wasi_timestamp_t precision, __wasi_timestamp_t *time);

__wasi_errno_t __wrap___wasi_clock_time_get(__wasi_clockid_t clock, __wasi_timestamp_t precision, __wasi_timestamp_t *time) {
  if (up) return __real___wasi_clock_time_get(clock, precision, time);
  *time = 1000000000;
  return 0;
}

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "python: %s\n", what);
  _Exit(SOFTWARE);
}

// arguments returns the process's arguments as a list of strings.
static PyObject *arguments(PyObject *self, PyObject *none) {
  __wasi_size_t count = 0, size = 0;
  if (__wasi_args_sizes_get(&count, &size) != 0) count = 0;
  uint8_t **argv = PyMem_Calloc(count + 1, sizeof *argv), *text = PyMem_Calloc(size + 1, 1);
  PyObject *list = argv && text ? PyList_New(0) : PyErr_NoMemory();
  if (list && count > 0 && __wasi_args_get(argv, text) != 0) count = 0;
  for (__wasi_size_t i = 0; list && i < count; i++) {
    PyObject *argument = PyUnicode_DecodeFSDefault((char *)argv[i]);
    if (!argument || PyList_Append(list, argument) != 0) Py_CLEAR(list);
    Py_XDECREF(argument);
  }
  PyMem_Free(argv);
  PyMem_Free(text);
  return list;
}

static PyMethodDef functions[] = {{"arguments", arguments, METH_NOARGS, NULL}, {NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_polyvoke_host", NULL, 0, functions};

static PyObject *init_module(void) { return PyModule_Create(&module); }

static void check(PyStatus status) {
  if (PyStatus_Exception(status)) fail(status.err_msg ? status.err_msg : "the interpreter does not start");
}

// initialize starts the interpreter. It looks for nothing: the standard library is in /runtime/lib.
static void initialize(void) {
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  check(Py_PreInitialize(&before));
  if (PyImport_AppendInittab("_polyvoke_host", init_module) != 0) fail("no memory");

  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  config.use_hash_seed = 1; // the same for every process, as they may all go on from one that has started
  config.hash_seed = 20;
  config.write_bytecode = 0;
  config.install_signal_handlers = 0;
  config.pathconfig_warnings = 0;
  config.module_search_paths_set = 1;
  check(PyWideStringList_Append(&config.module_search_paths, L"/runtime/lib"));
  wchar_t **folders[] = {&config.prefix, &config.base_prefix, &config.exec_prefix, &config.base_exec_prefix};
  for (int i = 0; i < 4; i++) check(PyConfig_SetString(&config, folders[i], L"/runtime"));
  check(PyConfig_SetString(&config, &config.stdlib_dir, L"/runtime/lib"));
  check(PyConfig_SetString(&config, &config.program_name, L"python"));
  check(PyConfig_SetString(&config, &config.executable, L""));
  check(Py_InitializeFromConfig(&config));
  PyConfig_Clear(&config);
}

// run runs the script as __main__, unless there is only its syntax to be checked. It returns the exit code.
static int run(PyObject *host) {
  PyObject *code = PyObject_CallMethod(host, "load", NULL);
  PyObject *result = NULL, *error = NULL;
  if (code) {
    PyObject *names = PyModule_GetDict(PyImport_AddModule("__main__"));
    result = PyEval_EvalCode(code, names, names);
    if (!result) error = PyErr_GetRaisedException();
  } else {
    error = PyErr_GetRaisedException();
    PyException_SetTraceback(error, Py_None); // it would show how the script is loaded
  }
  PyObject *status = PyObject_CallMethod(host, "end", "O", error ? error : Py_None);
  if (status) return PyLong_AsLong(status);
  PyErr_Print();
  return SOFTWARE;
}

int main(void) {
  initialize();
  PyObject *host = PyImport_ImportModule("_polyvoke");
  if (!host) {
    PyErr_Print();
    fail("the standard library is not in /runtime/lib");
  }
  up = true;
  _Exit(run(host)); // not by Py_Finalize: it would only tidy up memory that goes away
}
