/* ---- arguments ------------------------------------------------------------------------------- */

typedef union {
    double of_double;
    float of_float;
    int64_t of_int;
    unsigned char of_bool;
} Number;

/* The elements of an array that needs no conversion, or NULL. */
static inline const void *elements_of(PyObject *one, int type, int rank) {
    if (!PyArray_CheckExact(one))
        return NULL;
    PyArrayObject *array = (PyArrayObject *)one;
    if (PyArray_TYPE(array) != type || PyArray_NDIM(array) != rank || !PyArray_ISCARRAY_RO(array))
        return NULL;
    return PyArray_DATA(array);
}

/* A number that needs no conversion, put into its room, or NULL. */
static inline const void *number_of(PyObject *one, int type, Number *room) {
    if (type == NPY_DOUBLE && PyFloat_Check(one))
        room->of_double = PyFloat_AS_DOUBLE(one);
    else if (type == NPY_FLOAT && PyFloat_CheckExact(one))
        room->of_float = (float)PyFloat_AS_DOUBLE(one);
    else if (type == NPY_FLOAT && PyArray_IsScalar(one, Float))
        room->of_float = PyArrayScalar_VAL(one, Float);
    else if (type == NPY_INT64 && PyArray_IsScalar(one, Int64))
        room->of_int = PyArrayScalar_VAL(one, Int64);
    else if (type == NPY_BOOL && PyArray_IsScalar(one, Bool))
        room->of_bool = PyArrayScalar_VAL(one, Bool);
    else
        return NULL;
    return room;
}

/* The elements of anything that has been checked, kept in a list as long as they are read. */
static const void *converted(PyObject *one, int type, PyObject *kept) {
    PyObject *array = PyArray_FROM_OTF(one, type, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_NOTSWAPPED);
    if (array == NULL)
        return NULL;
    int failed = PyList_Append(kept, array);
    Py_DECREF(array);
    return failed ? NULL : PyArray_DATA((PyArrayObject *)array);
}

/* A quotient rounded down. */
static inline npy_intp gc_floor(npy_intp a, npy_intp b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* The length of an axis. */
static inline npy_intp length(PyObject *array, int axis) {
    return PyArray_DIM((PyArrayObject *)array, axis);
}

/* A dim that is given by name, or -1. */
static inline npy_intp dim_of(PyObject *one) {
    if (!PyLong_CheckExact(one))
        return -1;
    npy_intp found = PyLong_AsSsize_t(one);
    if (found == -1 && PyErr_Occurred())
        PyErr_Clear();
    return found < (npy_intp)1 << 31 ? found : -1;
}

/* ---- results --------------------------------------------------------------------------------- */

/* A result: its type and rank, how many members it has, if any, and where its sizes begin. */
typedef struct {
    int type, rank, members, first;
} Result;

static PyObject *scalar(int type, const void *at) {
    if (type == NPY_DOUBLE) {
        PyObject *found = PyArrayScalar_New(Double);
        if (found != NULL)
            PyArrayScalar_ASSIGN(found, Double, *(const double *)at);
        return found;
    }
    PyArray_Descr *kind = PyArray_DescrFromType(type);
    PyObject *found = PyArray_Scalar((void *)(uintptr_t)at, kind, NULL);
    Py_DECREF(kind);
    return found;
}

/* A new array, or that which is to be written into. */
static PyObject *place_of(const Result *kind, const npy_intp *sizes, PyObject *place) {
    if (place == NULL || place == Py_None)
        return PyArray_SimpleNew(kind->rank, (npy_intp *)(uintptr_t)sizes, kind->type);
    Py_INCREF(place);
    return place;
}

/* Make the arrays of the results in a tuple with room for `more`; numbers are put in afterwards. */
static PyObject *make_results(const Result *kinds, int count, int more, const npy_intp *sizes,
                              PyObject *places, void **at, void **inside, Number *numbers) {
    PyObject *found = PyTuple_New(count + more);
    if (found == NULL)
        return NULL;
    for (int k = 0; k < count; k++) {
        const Result *kind = &kinds[k];
        const npy_intp *own = sizes + kind->first;
        PyObject *place = places == NULL ? NULL : PyTuple_GET_ITEM(places, k);
        if (!kind->members && !kind->rank) {
            at[k] = numbers++;
            continue;
        }
        if (!kind->members) {
            PyObject *array = place_of(kind, own, place);
            if (array == NULL)
                goto failed;
            PyTuple_SET_ITEM(found, k, array);
            at[k] = PyArray_DATA((PyArrayObject *)array);
            continue;
        }
        PyObject *list = PyList_New(kind->members);
        if (list == NULL)
            goto failed;
        PyTuple_SET_ITEM(found, k, list);
        at[k] = inside;
        for (int m = 0; m < kind->members; m++) {
            if (!kind->rank) {
                *inside++ = numbers++;
                continue;
            }
            PyObject *given = place == NULL || place == Py_None ? NULL : PyList_GetItem(place, m);
            PyObject *array = PyErr_Occurred() ? NULL : place_of(kind, own, given);
            if (array == NULL)
                goto failed;
            PyList_SET_ITEM(list, m, array);
            *inside++ = PyArray_DATA((PyArrayObject *)array);
        }
    }
    return found;
failed:
    Py_DECREF(found);
    return NULL;
}

/* Put the numbers in, now that they are computed. */
static int put_numbers(PyObject *found, const Result *kinds, int count, void *const *at) {
    for (int k = 0; k < count; k++) {
        if (kinds[k].rank)
            continue;
        if (!kinds[k].members) {
            PyObject *one = scalar(kinds[k].type, at[k]);
            if (one == NULL)
                return -1;
            PyTuple_SET_ITEM(found, k, one);
            continue;
        }
        for (int m = 0; m < kinds[k].members; m++) {
            PyObject *one = scalar(kinds[k].type, ((void **)at[k])[m]);
            if (one == NULL)
                return -1;
            PyList_SET_ITEM(PyTuple_GET_ITEM(found, k), m, one);
        }
    }
    return 0;
}

/* ---- the cache ------------------------------------------------------------------------------- */

static size_t bytes_of(const Result *kind, const npy_intp *sizes) {
    size_t found = kind->type == NPY_BOOL ? 1 : kind->type == NPY_FLOAT ? 4 : 8;
    for (int axis = 0; axis < kind->rank; axis++)
        found *= (size_t)sizes[kind->first + axis];
    return found;
}

static size_t room_of(const Result *kind, const npy_intp *sizes) {
    size_t members = kind->members ? (size_t)kind->members : 1;
    return (members * bytes_of(kind, sizes) + 63) / 64 * 64;
}

/* An array of a part of a block, which it keeps alive; a number by itself. */
static PyObject *part_at(const Result *kind, const npy_intp *sizes, PyObject *block, char *at) {
    if (!kind->rank)
        return scalar(kind->type, at);
    npy_intp *own = (npy_intp *)(uintptr_t)(sizes + kind->first);
    PyObject *found = PyArray_SimpleNewFromData(kind->rank, own, kind->type, at);
    if (found == NULL)
        return NULL;
    Py_INCREF(block);
    if (PyArray_SetBaseObject((PyArrayObject *)found, block) < 0) {
        Py_DECREF(found);
        return NULL;
    }
    return found;
}

/* Put the parts of a block into a tuple, from a place on. */
static int put_parts(PyObject *found, int first, const Result *kinds, int count,
                     const npy_intp *sizes, PyObject *block) {
    char *at = PyArray_DATA((PyArrayObject *)block);
    for (int k = 0; k < count; at += room_of(&kinds[k], sizes), k++) {
        PyObject *one;
        if (!kinds[k].members)
            one = part_at(&kinds[k], sizes, block, at);
        else {
            one = PyList_New(kinds[k].members);
            for (int m = 0; one != NULL && m < kinds[k].members; m++) {
                char *own = at + (size_t)m * bytes_of(&kinds[k], sizes);
                PyObject *member = part_at(&kinds[k], sizes, block, own);
                if (member == NULL)
                    Py_CLEAR(one);
                else
                    PyList_SET_ITEM(one, m, member);
            }
        }
        if (one == NULL)
            return -1;
        PyTuple_SET_ITEM(found, first + k, one);
    }
    return 0;
}

/* Copy a part to its place, unless it lies there. */
static int gather_part(const Result *kind, const npy_intp *sizes, PyObject *part, char *at) {
    size_t bytes = bytes_of(kind, sizes);
    PyObject *array = PyArray_FROM_OTF(part, kind->type, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_NOTSWAPPED);
    if (array == NULL)
        return -1;
    PyArrayObject *whole = (PyArrayObject *)array;
    int fits = PyArray_NDIM(whole) == kind->rank && (size_t)PyArray_NBYTES(whole) == bytes;
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "the cache is none that `forward` has made");
    else if (PyArray_DATA(whole) != at)
        memcpy(at, PyArray_DATA(whole), bytes);
    Py_DECREF(array);
    return fits ? 0 : -1;
}

/* Does a part lie at its place? A number does where the same is there. */
static int lies_at(const Result *kind, const npy_intp *sizes, PyObject *part, const char *at) {
    if (kind->rank)
        return PyArray_CheckExact(part) && PyArray_DATA((PyArrayObject *)part) == (void *)at &&
               PyArray_ISCARRAY_RO((PyArrayObject *)part);
    PyObject *number = PyArray_FROM_OTF(part, kind->type, NPY_ARRAY_CARRAY_RO);
    if (number == NULL) {
        PyErr_Clear();
        return 0;
    }
    int same = !memcmp(PyArray_DATA((PyArrayObject *)number), at, bytes_of(kind, sizes));
    Py_DECREF(number);
    return same;
}

/* The block that an array of this cache lies in, or NULL. */
static PyObject *block_of(PyObject *cache, const Result *kinds, int count, size_t total) {
    for (int k = 0; k < count; k++) {
        PyObject *part = PyTuple_GET_ITEM(cache, k);
        if (kinds[k].members && PyList_CheckExact(part) && PyList_GET_SIZE(part))
            part = PyList_GET_ITEM(part, 0);
        if (!kinds[k].rank || !PyArray_CheckExact(part))
            continue;
        PyArrayObject *base = (PyArrayObject *)PyArray_BASE((PyArrayObject *)part);
        int block = base != NULL && PyArray_CheckExact((PyObject *)base) &&
                    PyArray_TYPE(base) == NPY_UINT8 && PyArray_CHKFLAGS(base, NPY_ARRAY_OWNDATA) &&
                    PyArray_ISCARRAY(base) && (size_t)PyArray_NBYTES(base) == total;
        return block ? (PyObject *)base : NULL;
    }
    return NULL;
}

/* The block whose parts a cache has, with all of them in place: that which they lie in, or a new one. */
static PyObject *gather(PyObject *cache, const Result *kinds, int count, const npy_intp *sizes,
                        size_t total) {
    PyObject *block = block_of(cache, kinds, count, total);
    char *at = block == NULL ? NULL : PyArray_BYTES((PyArrayObject *)block);
    int there = block != NULL;
    for (int k = 0; k < count && there; k++) {
        PyObject *part = PyTuple_GET_ITEM(cache, k);
        if (!kinds[k].members)
            there = lies_at(&kinds[k], sizes, part, at);
        else if (!PyList_CheckExact(part) || PyList_GET_SIZE(part) != kinds[k].members)
            there = 0;
        for (int m = 0; m < kinds[k].members && there; m++)
            there = lies_at(&kinds[k], sizes, PyList_GET_ITEM(part, m),
                            at + (size_t)m * bytes_of(&kinds[k], sizes));
        at += room_of(&kinds[k], sizes);
    }
    if (there) {
        Py_INCREF(block);
        return block;
    }
    npy_intp size = (npy_intp)total;
    block = PyArray_SimpleNew(1, &size, NPY_UINT8);
    if (block == NULL)
        return NULL;
    at = PyArray_BYTES((PyArrayObject *)block);
    for (int k = 0; k < count; at += room_of(&kinds[k], sizes), k++) {
        PyObject *part = PyTuple_GET_ITEM(cache, k);
        int failed = 0;
        if (!kinds[k].members)
            failed = gather_part(&kinds[k], sizes, part, at);
        for (int m = 0; m < kinds[k].members && !failed; m++) {
            PyObject *member = PySequence_GetItem(part, m);
            char *own = at + (size_t)m * bytes_of(&kinds[k], sizes);
            failed = member == NULL || gather_part(&kinds[k], sizes, member, own);
            Py_XDECREF(member);
        }
        if (failed) {
            Py_DECREF(block);
            return NULL;
        }
    }
    return block;
}

/* ---- workspaces ------------------------------------------------------------------------------ */

/* A block that a function keeps for its next call; whoever has the interpreter's lock takes it. */
typedef struct {
    void *block;
    size_t size;
} Kept;

static void *take_block(Kept *kept, size_t size) {
    if (kept->block != NULL && kept->size == size) {
        void *found = kept->block;
        kept->block = NULL;
        return found;
    }
    return PyMem_RawMalloc(size);
}

static void give_block(Kept *kept, void *block, size_t size) {
    PyMem_RawFree(kept->block);
    kept->block = block;
    kept->size = size;
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* The error of a status, whose kind is told by a number. */
static PyObject *refuse(int kind, const char *text) {
    if (kind == 0)
        PyErr_SetString(PyExc_ValueError, text);
    else if (kind == 1)
        PyErr_SetString(PyExc_IndexError, text);
    else {
        PyObject *linalg = PyImport_ImportModule("numpy.linalg");
        PyObject *error = linalg ? PyObject_GetAttrString(linalg, "LinAlgError") : NULL;
        if (error != NULL)
            PyErr_SetString(error, text);
        Py_XDECREF(error);
        Py_XDECREF(linalg);
    }
    return NULL;
}
