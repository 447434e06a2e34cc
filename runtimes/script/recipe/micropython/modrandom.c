// modrandom.c: the module random. Unless the script has seeded it, it seeds itself in its first use, and once more in the
// first one after stdin has been read: a process may go on from there many times. It is no source of secrets: os.urandom is.

#include "host.h"
#include "py/runtime.h"

static uint64_t random_state;
static enum { NEVER, EARLY, SEEDED } random_seeded;

// next_bits is SplitMix64 (Steele, Lea and Flood, 2014).
static uint64_t next_bits(void) {
  if (random_seeded == NEVER || (random_seeded == EARLY && host_stdin_read())) {
    random_seeded = host_stdin_read() ? SEEDED : EARLY;
    random_state = host_entropy();
  }
  uint64_t z = random_state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// below returns a number from 0 to n-1, each as likely as the others.
static uint64_t below(uint64_t n) {
  uint64_t most = UINT64_MAX - UINT64_MAX % n, bits;
  do bits = next_bits();
  while (bits >= most);
  return bits % n;
}

static double unit(void) { return (next_bits() >> 11) * 0x1p-53; }

static mp_obj_t random_seed(size_t n, const mp_obj_t *args) {
  random_seeded = NEVER;
  if (n == 0 || args[0] == mp_const_none) return mp_const_none;
  random_state = (uint64_t)mp_obj_get_int_truncated(args[0]);
  random_seeded = SEEDED;
  return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(random_seed_obj, 0, 1, random_seed);

static mp_obj_t random_random(void) { return mp_obj_new_float(unit()); }
static MP_DEFINE_CONST_FUN_OBJ_0(random_random_obj, random_random);

static mp_obj_t random_uniform(mp_obj_t from, mp_obj_t to) {
  mp_float_t a = mp_obj_get_float(from), b = mp_obj_get_float(to);
  return mp_obj_new_float(a + (b - a) * unit());
}
static MP_DEFINE_CONST_FUN_OBJ_2(random_uniform_obj, random_uniform);

static mp_obj_t random_getrandbits(mp_obj_t count) {
  mp_int_t n = mp_obj_get_int(count);
  if (n < 0 || n > 64) mp_raise_ValueError(MP_ERROR_TEXT("bits must be 0 to 64"));
  return mp_obj_new_int_from_ull(n == 0 ? 0 : next_bits() >> (64 - n));
}
static MP_DEFINE_CONST_FUN_OBJ_1(random_getrandbits_obj, random_getrandbits);

static mp_obj_t random_randrange(size_t n, const mp_obj_t *args) {
  mp_int_t from = n > 1 ? mp_obj_get_int(args[0]) : 0, to = mp_obj_get_int(args[n > 1]), step = n > 2 ? mp_obj_get_int(args[2]) : 1;
  int64_t width = (int64_t)to - from;
  if (step == 0 || (step > 0) != (width > 0) || width == 0) mp_raise_ValueError(MP_ERROR_TEXT("empty range"));
  int64_t count = (width + step - (step > 0 ? 1 : -1)) / step;
  return mp_obj_new_int_from_ll(from + step * (int64_t)below(count));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(random_randrange_obj, 1, 3, random_randrange);

static mp_obj_t random_randint(mp_obj_t from, mp_obj_t to) {
  int64_t a = mp_obj_get_int(from), b = mp_obj_get_int(to);
  if (a > b) mp_raise_ValueError(MP_ERROR_TEXT("empty range"));
  return mp_obj_new_int_from_ll(a + (int64_t)below(b - a + 1));
}
static MP_DEFINE_CONST_FUN_OBJ_2(random_randint_obj, random_randint);

static mp_obj_t random_choice(mp_obj_t of) {
  mp_int_t n = mp_obj_get_int(mp_obj_len(of));
  if (n == 0) mp_raise_type(&mp_type_IndexError);
  return mp_obj_subscr(of, MP_OBJ_NEW_SMALL_INT(below(n)), MP_OBJ_SENTINEL);
}
static MP_DEFINE_CONST_FUN_OBJ_1(random_choice_obj, random_choice);

static mp_obj_t random_shuffle(mp_obj_t list) {
  size_t n;
  mp_obj_t *items;
  mp_obj_list_get(list, &n, &items);
  for (; n > 1; n--) {
    size_t i = below(n);
    mp_obj_t last = items[n - 1];
    items[n - 1] = items[i];
    items[i] = last;
  }
  return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(random_shuffle_obj, random_shuffle);

static const mp_rom_map_elem_t random_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_random)},
    {MP_ROM_QSTR(MP_QSTR_seed), MP_ROM_PTR(&random_seed_obj)},
    {MP_ROM_QSTR(MP_QSTR_random), MP_ROM_PTR(&random_random_obj)},
    {MP_ROM_QSTR(MP_QSTR_uniform), MP_ROM_PTR(&random_uniform_obj)},
    {MP_ROM_QSTR(MP_QSTR_getrandbits), MP_ROM_PTR(&random_getrandbits_obj)},
    {MP_ROM_QSTR(MP_QSTR_randrange), MP_ROM_PTR(&random_randrange_obj)},
    {MP_ROM_QSTR(MP_QSTR_randint), MP_ROM_PTR(&random_randint_obj)},
    {MP_ROM_QSTR(MP_QSTR_choice), MP_ROM_PTR(&random_choice_obj)},
    {MP_ROM_QSTR(MP_QSTR_shuffle), MP_ROM_PTR(&random_shuffle_obj)},
};
static MP_DEFINE_CONST_DICT(random_globals, random_table);

const mp_obj_module_t random_module = {.base = {&mp_type_module}, .globals = (mp_obj_dict_t *)&random_globals};
MP_REGISTER_MODULE(MP_QSTR_random, random_module);
