/* The two loops of chatd/wire/envelope.py, in C: seal a run of envelopes, and open a run.

   chatd works the same without this module. chatd/wire/sealer.py uses it where it was built, and
   the tests run over both. The layout of an envelope is in chatd/wire/envelope.py.

   HMAC-SHA256 is OpenSSL's SHA-256 in two states that are keyed once and copied for each envelope
   (RFC 2104). CRC32 is libdeflate's if the build found it, else zlib's. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#ifdef CHATD_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#ifdef __SANITIZE_ADDRESS__ /* which does not see what the libraries read */
#include <sanitizer/asan_interface.h>
#endif

enum {
    LENGTH_BYTES = 4,
    MAGIC_BYTES = 10, /* the magic and the version */
    PRELUDE_BYTES = 32,
    MAC_BYTES = 32,
    ENVELOPE_BYTES = PRELUDE_BYTES + MAC_BYTES,
    BLOCK_BYTES = 64,
    /* Offsets in a frame. */
    TYPE_AT = LENGTH_BYTES + MAGIC_BYTES,
    HEADER_LENGTH_AT = TYPE_AT + 2,
    HEADER_CRC_AT = HEADER_LENGTH_AT + 4,
    CONTENT_LENGTH_AT = HEADER_CRC_AT + 4,
    CONTENT_CRC_AT = CONTENT_LENGTH_AT + 8,
    MAC_AT = LENGTH_BYTES + PRELUDE_BYTES,
    HEADER_AT = LENGTH_BYTES + ENVELOPE_BYTES,
    /* Other threads run while an envelope of at least this many bytes is computed. */
    LONG_BYTES = 64 * 1024
};

typedef struct {
    PyObject_HEAD
    EVP_MD_CTX *inner; /* keyed; only copied, so threads can share it */
    EVP_MD_CTX *outer;
    uint64_t max_header;
    uint8_t magic[MAGIC_BYTES];
} RunSealer;

static uint16_t
get_16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static uint32_t
get_32(const uint8_t *data)
{
    return (uint32_t)get_16(data) << 16 | get_16(data + 2);
}

static uint64_t
get_64(const uint8_t *data)
{
    return (uint64_t)get_32(data) << 32 | get_32(data + 4);
}

static void
put_16(uint8_t *data, uint16_t value)
{
    data[0] = (uint8_t)(value >> 8);
    data[1] = (uint8_t)value;
}

static void
put_32(uint8_t *data, uint32_t value)
{
    put_16(data, (uint16_t)(value >> 16));
    put_16(data + 2, (uint16_t)value);
}

static void
put_64(uint8_t *data, uint64_t value)
{
    put_32(data, (uint32_t)(value >> 32));
    put_32(data + 4, (uint32_t)value);
}

/* Compute the MAC of a frame; `size` is that of header and content. Return 0 if OpenSSL fails. */
static int
compute_mac(const RunSealer *self, EVP_MD_CTX *state, const uint8_t *frame, size_t size,
            uint8_t mac[MAC_BYTES])
{
    return EVP_MD_CTX_copy_ex(state, self->inner)
        && EVP_DigestUpdate(state, frame + LENGTH_BYTES, PRELUDE_BYTES)
        && EVP_DigestUpdate(state, frame + HEADER_AT, size)
        && EVP_DigestFinal_ex(state, mac, NULL)
        && EVP_MD_CTX_copy_ex(state, self->outer)
        && EVP_DigestUpdate(state, mac, MAC_BYTES)
        && EVP_DigestFinal_ex(state, mac, NULL);
}

/* Return the CRC32 of header or content, the first to read them. */
static uint32_t
crc_32(const uint8_t *data, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
    if (__asan_region_is_poisoned((void *)data, size) != NULL) {
        Py_FatalError("a checksum of bytes outside the buffer");
    }
#endif
#ifdef CHATD_LIBDEFLATE
    return libdeflate_crc32(0, data, size);
#else
    return (uint32_t)crc32_z(0, data, size);
#endif
}

static PyObject *
no_mac(void)
{
    PyErr_SetString(PyExc_RuntimeError, "OpenSSL cannot compute a MAC");
    return NULL;
}

/* Read an argument that is an int from 0 on. Return 0, and set an exception, if it is none. */
static int
read_size(PyObject *value, Py_ssize_t *size)
{
    if (!PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "an offset, type or limit is an int");
        return 0;
    }
    *size = PyLong_AsSsize_t(value);
    if (*size < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "an offset, type or limit is at least 0");
        }
        return 0;
    }
    return 1;
}

/* Sealing */

/* Fill in a frame whose header and content are there already. Return 0 if OpenSSL fails. */
static int
seal_frame(const RunSealer *self, EVP_MD_CTX *state, uint8_t *frame, uint16_t type,
           size_t header_size, size_t content_size)
{
    put_32(frame, (uint32_t)(ENVELOPE_BYTES + header_size + content_size));
    memcpy(frame + LENGTH_BYTES, self->magic, MAGIC_BYTES);
    put_16(frame + TYPE_AT, type);
    put_32(frame + HEADER_LENGTH_AT, (uint32_t)header_size);
    put_32(frame + HEADER_CRC_AT, crc_32(frame + HEADER_AT, header_size));
    put_64(frame + CONTENT_LENGTH_AT, content_size);
    put_32(frame + CONTENT_CRC_AT, crc_32(frame + HEADER_AT + header_size, content_size));
    return compute_mac(self, state, frame, header_size + content_size, frame + MAC_AT);
}

/* Return the frame of one part: a tuple of type, header and content. */
static PyObject *
seal_part(const RunSealer *self, EVP_MD_CTX *state, PyObject *part)
{
    if (!PyTuple_Check(part) || PyTuple_GET_SIZE(part) != 3
        || !PyBytes_Check(PyTuple_GET_ITEM(part, 1))
        || !PyBytes_Check(PyTuple_GET_ITEM(part, 2))) {
        PyErr_SetString(PyExc_TypeError, "a part is a tuple of an int, bytes and bytes");
        return NULL;
    }
    PyObject *header = PyTuple_GET_ITEM(part, 1), *content = PyTuple_GET_ITEM(part, 2);
    size_t header_size = (size_t)PyBytes_GET_SIZE(header);
    size_t content_size = (size_t)PyBytes_GET_SIZE(content);
    Py_ssize_t type;
    if (!read_size(PyTuple_GET_ITEM(part, 0), &type)) {
        return NULL;
    }
    if (type > UINT16_MAX || header_size > self->max_header
        || content_size > UINT32_MAX - ENVELOPE_BYTES - header_size) {
        PyErr_SetString(PyExc_ValueError, "the type, the header or the content is too large");
        return NULL;
    }
    size_t size = header_size + content_size;
    PyObject *sealed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(HEADER_AT + size));
    if (sealed == NULL) {
        return NULL;
    }
    uint8_t *frame = (uint8_t *)PyBytes_AS_STRING(sealed);
    int is_sealed;
    memcpy(frame + HEADER_AT, PyBytes_AS_STRING(header), header_size);
    memcpy(frame + HEADER_AT + header_size, PyBytes_AS_STRING(content), content_size);
    if (size < LONG_BYTES) {
        is_sealed = seal_frame(self, state, frame, (uint16_t)type, header_size, content_size);
    } else {
        Py_BEGIN_ALLOW_THREADS
        is_sealed = seal_frame(self, state, frame, (uint16_t)type, header_size, content_size);
        Py_END_ALLOW_THREADS
    }
    if (!is_sealed) {
        Py_DECREF(sealed);
        return no_mac();
    }
    return sealed;
}

PyDoc_STRVAR(seal_run_doc,
"seal_run(parts, /)\n--\n\n"
"Return a list with a frame for each type, header and content in a list of tuples.");

static PyObject *
seal_run(RunSealer *self, PyObject *parts)
{
    if (!PyList_Check(parts)) {
        PyErr_SetString(PyExc_TypeError, "the parts are a list");
        return NULL;
    }
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (state == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *frames = PyList_New(0);
    /* The list is measured again each time: another thread may have shortened it. */
    for (Py_ssize_t place = 0; frames != NULL && place < PyList_GET_SIZE(parts); place++) {
        PyObject *part = PyList_GET_ITEM(parts, place);
        Py_INCREF(part);
        PyObject *frame = seal_part(self, state, part);
        Py_DECREF(part);
        if (frame == NULL || PyList_Append(frames, frame) < 0) {
            Py_CLEAR(frames);
        }
        Py_XDECREF(frame);
    }
    EVP_MD_CTX_free(state);
    return frames;
}

/* Opening */

enum check { GOOD, FAULTY, FAILED };

/* Check the sums and the MAC of a frame whose lengths were checked. */
static enum check
check_frame(const RunSealer *self, EVP_MD_CTX *state, const uint8_t *frame, size_t header_size,
            size_t content_size)
{
    uint8_t mac[MAC_BYTES];
    const uint8_t *header = frame + HEADER_AT;
    if (crc_32(header, header_size) != get_32(frame + HEADER_CRC_AT)
        || crc_32(header + header_size, content_size) != get_32(frame + CONTENT_CRC_AT)) {
        return FAULTY;
    }
    if (!compute_mac(self, state, frame, header_size + content_size, mac)) {
        return FAILED;
    }
    return CRYPTO_memcmp(mac, frame + MAC_AT, MAC_BYTES) == 0 ? GOOD : FAULTY; /* constant time */
}

/* Append header, content and end of a frame to the opened ones. Return 0 if memory is out. */
static int
append_opened(PyObject *opened, const uint8_t *header, size_t header_size, size_t content_size,
              Py_ssize_t end)
{
    const char *start = (const char *)header;
    PyObject *parts = PyTuple_New(3);
    if (parts == NULL) {
        return 0;
    }
    PyObject *items[3] = {
        PyBytes_FromStringAndSize(start, (Py_ssize_t)header_size),
        PyBytes_FromStringAndSize(start + header_size, (Py_ssize_t)content_size),
        PyLong_FromSsize_t(end),
    };
    for (Py_ssize_t place = 0; place < 3; place++) {
        PyTuple_SET_ITEM(parts, place, items[place]); /* takes over the reference, if any */
    }
    int is_appended = items[0] != NULL && items[1] != NULL && items[2] != NULL
        && PyList_Append(opened, parts) == 0;
    Py_DECREF(parts);
    return is_appended;
}

PyDoc_STRVAR(open_run_doc,
"open_run(buffer, start, message_type, max_content, most, /)\n--\n\n"
"Return a list with header, content and end for each of the good frames of a type that begin at\n"
"an offset, `most` at most. The run ends before the first frame that is not complete and good.");

static PyObject *
open_run(RunSealer *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t start, type, max_content, most;
    if (count != 5 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "open_run takes bytes and four ints");
        return NULL;
    }
    if (!read_size(args[1], &start) || !read_size(args[2], &type)
        || !read_size(args[3], &max_content) || !read_size(args[4], &most)) {
        return NULL;
    }
    Py_ssize_t available = PyBytes_GET_SIZE(args[0]);
    if (start > available || type > UINT16_MAX) {
        PyErr_SetString(PyExc_ValueError, "the offset or the type is too large");
        return NULL;
    }
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (state == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *opened = PyList_New(0);
    while (opened != NULL && available - start >= HEADER_AT && PyList_GET_SIZE(opened) < most) {
        const uint8_t *frame = (const uint8_t *)PyBytes_AS_STRING(args[0]) + start;
        uint64_t rest = (uint64_t)(available - start - HEADER_AT);
        uint64_t header_size = get_32(frame + HEADER_LENGTH_AT);
        uint64_t content_size = get_64(frame + CONTENT_LENGTH_AT);
        if (memcmp(frame + LENGTH_BYTES, self->magic, MAGIC_BYTES) != 0
            || get_16(frame + TYPE_AT) != type
            || header_size > rest || content_size > rest - header_size
            || get_32(frame) != ENVELOPE_BYTES + header_size + content_size
            || header_size > self->max_header || content_size > (uint64_t)max_content) {
            break;
        }
        size_t size = (size_t)(header_size + content_size);
        enum check found;
        if (size < LONG_BYTES) {
            found = check_frame(self, state, frame, (size_t)header_size, (size_t)content_size);
        } else {
            Py_BEGIN_ALLOW_THREADS
            found = check_frame(self, state, frame, (size_t)header_size, (size_t)content_size);
            Py_END_ALLOW_THREADS
        }
        if (found == FAULTY) {
            break;
        }
        start += (Py_ssize_t)(HEADER_AT + size);
        if (found == FAILED) {
            no_mac();
            Py_CLEAR(opened);
        } else if (!append_opened(opened, frame + HEADER_AT, (size_t)header_size,
                                  (size_t)content_size, start)) {
            Py_CLEAR(opened);
        }
    }
    EVP_MD_CTX_free(state);
    return opened;
}

/* The type and the module */

/* Return a state of SHA-256 that begins with a key of one block, each byte combined with `pad`. */
static EVP_MD_CTX *
keyed_state(const uint8_t *key, size_t size, uint8_t pad)
{
    uint8_t block[BLOCK_BYTES] = {0};
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    memcpy(block, key, size);
    for (size_t place = 0; place < BLOCK_BYTES; place++) {
        block[place] ^= pad;
    }
    if (state != NULL
        && !(EVP_DigestInit_ex(state, EVP_sha256(), NULL)
             && EVP_DigestUpdate(state, block, BLOCK_BYTES))) {
        EVP_MD_CTX_free(state);
        state = NULL;
    }
    OPENSSL_cleanse(block, BLOCK_BYTES);
    return state;
}

static PyObject *
new_sealer(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *key, *magic;
    Py_ssize_t key_size, magic_size, max_header;
    if (keywords != NULL && PyDict_GET_SIZE(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "RunSealer takes no arguments by name");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "y#y#n:RunSealer", &key, &key_size, &magic, &magic_size,
                          &max_header)) {
        return NULL;
    }
    if (key_size > BLOCK_BYTES || magic_size != MAGIC_BYTES || max_header < 0
        || (uint64_t)max_header > UINT32_MAX - ENVELOPE_BYTES) {
        PyErr_SetString(PyExc_ValueError, "the key, the magic or the limit has a wrong size");
        return NULL;
    }
    RunSealer *self = (RunSealer *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    memcpy(self->magic, magic, MAGIC_BYTES);
    self->max_header = (uint64_t)max_header;
    self->inner = keyed_state((const uint8_t *)key, (size_t)key_size, 0x36);
    self->outer = keyed_state((const uint8_t *)key, (size_t)key_size, 0x5C);
    if (self->inner == NULL || self->outer == NULL) {
        Py_DECREF(self);
        return no_mac();
    }
    return (PyObject *)self;
}

static void
free_sealer(RunSealer *self)
{
    PyTypeObject *type = Py_TYPE(self);
    EVP_MD_CTX_free(self->inner); /* which clears the state, and takes NULL */
    EVP_MD_CTX_free(self->outer);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef sealer_methods[] = {
    {"seal_run", (PyCFunction)seal_run, METH_O, seal_run_doc},
    {"open_run", (PyCFunction)(void (*)(void))open_run, METH_FASTCALL, open_run_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(sealer_doc,
"RunSealer(mac_key, magic, max_header, /)\n--\n\n"
"Seals and opens runs of envelopes under one MAC key.\n\n"
"`magic` is the magic and the version, 10 bytes; `max_header` is the longest header, in bytes.");

static PyType_Slot sealer_slots[] = {
    {Py_tp_doc, (void *)sealer_doc},
    {Py_tp_new, new_sealer},
    {Py_tp_dealloc, free_sealer},
    {Py_tp_methods, sealer_methods},
    {0, NULL},
};

static PyType_Spec sealer_spec = {
    .name = "chatd.wire._envelope.RunSealer",
    .basicsize = sizeof(RunSealer),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = sealer_slots,
};

static int
fill_module(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&sealer_spec);
    if (type == NULL) {
        return -1;
    }
    int status = PyModule_AddObjectRef(module, "RunSealer", type);
    Py_DECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "chatd.wire._envelope",
    .m_doc = "The loops that seal and open runs of envelopes, in C.",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__envelope(void)
{
    return PyModuleDef_Init(&module);
}
