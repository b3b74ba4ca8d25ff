/* SPDX-License-Identifier: BSD-3-Clause */
/* kind.c — the table of kinds and their first bytes. */
#include "io/kind.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <zlib.h>

enum { HEAD_BYTES = 4096 };

static const char predict_takes[] = "`dcnn predict MODEL FILE` takes it, `dcnn prepare FOLDER -o data.h5` a folder of "
                                    "them with a folder for each class",
                  prepare_takes[] = "`dcnn prepare FILE -o data.h5` makes a data set of it",
                  as_image[] = "images are read as PNG, JPEG, BMP, PGM, PPM and WebP: save it as PNG",
                  unpack_first[] = "unpack it first";

static const struct {
    const char *name, *advice; /* advice: what to do with it, or NULL */
} kinds[DCNN_KIND_COUNT] = {
    [DCNN_KIND_UNKNOWN] = {"a file of an unknown kind", NULL},
    [DCNN_KIND_MISSING] = {"not there", NULL},
    [DCNN_KIND_EMPTY] = {"an empty file", NULL},
    [DCNN_KIND_FOLDER] = {"a folder", "`dcnn prepare FOLDER -o data.h5` makes a data set of the images in it"},
    [DCNN_KIND_SPECIAL] = {"a device or a pipe", NULL},
    [DCNN_KIND_HDF5] = {"an HDF5 file", NULL},
    [DCNN_KIND_PNG] = {"a PNG image", predict_takes},
    [DCNN_KIND_JPEG] = {"a JPEG image", predict_takes},
    [DCNN_KIND_BMP] = {"a BMP image", predict_takes},
    [DCNN_KIND_PNM] = {"a PBM, PGM or PPM image", predict_takes},
    [DCNN_KIND_WEBP] = {"a WebP image", predict_takes},
    [DCNN_KIND_GIF] = {"a GIF image", as_image},
    [DCNN_KIND_TIFF] = {"a TIFF image", as_image},
    [DCNN_KIND_HEIF] = {"a HEIF or AVIF image", as_image},
    [DCNN_KIND_SVG] = {"an SVG drawing", as_image},
    [DCNN_KIND_IDX] = {"an IDX file (MNIST's format)", prepare_takes},
    [DCNN_KIND_NPY] = {"a NumPy array", prepare_takes},
    [DCNN_KIND_NPZ] = {"a NumPy archive", prepare_takes},
    [DCNN_KIND_KERAS] = {"a Keras 3 model (.keras)", NULL},
    [DCNN_KIND_TORCH] = {"a PyTorch file",
                         "torch.onnx.export(model, images, 'net.onnx') in Python writes what dcnn reads"},
    [DCNN_KIND_ZIP] = {"a zip archive", "a zip of one table is read by `dcnn prepare`; unpack any other first"},
    [DCNN_KIND_MAT] = {"a MATLAB file", prepare_takes},
    [DCNN_KIND_TABLE] = {"a text table", prepare_takes},
    [DCNN_KIND_JSON] = {"a JSON file", "`dcnn train --model FILE` takes a Keras description of a network"},
    [DCNN_KIND_TEXT] = {"a text file", NULL},
    [DCNN_KIND_UTF16] = {"a text in UTF-16", "save it as UTF-8"},
    [DCNN_KIND_HTML] = {"a web page", "a download that failed often leaves one: look into it"},
    [DCNN_KIND_LFS] = {"a pointer of Git LFS", "`git lfs pull` brings the file that it stands for"},
    [DCNN_KIND_PICKLE] = {"a Python pickle", "reading it may run code, so dcnn does not: in Python, "
                                             "numpy.savez_compressed('data.npz', x_train=..., y_train=...)"},
    [DCNN_KIND_PARQUET] = {"a Parquet table", "save it as CSV"},
    [DCNN_KIND_TAR] = {"a tar archive", unpack_first},
    [DCNN_KIND_PACKED] = {"a compressed file", unpack_first},
    [DCNN_KIND_PDF] = {"a PDF document", NULL},
    [DCNN_KIND_ONNX] = {"an ONNX model", NULL},
    [DCNN_KIND_SAFETENSORS] = {"a safetensors file",
                               "it holds only weights: `dcnn train --model NET.json --weights FILE` takes it"},
    [DCNN_KIND_PROGRAM] = {"a program", NULL},
};

/* --- first bytes ------------------------------------------------------------------------------------------------- */

/* What stands at the same place in every file of a kind; the first row that fits decides. */
static const struct {
    dcnn_kind_id kind;
    size_t offset, length;
    const char *bytes;
} magics[] = {
    {DCNN_KIND_HDF5, 0, 8, "\x89HDF\r\n\x1a\n"},
    {DCNN_KIND_PNG, 0, 8, "\x89PNG\r\n\x1a\n"},
    {DCNN_KIND_JPEG, 0, 3, "\xff\xd8\xff"},
    {DCNN_KIND_WEBP, 8, 4, "WEBP"},
    {DCNN_KIND_GIF, 0, 4, "GIF8"},
    {DCNN_KIND_TIFF, 0, 4, "II*\0"},
    {DCNN_KIND_TIFF, 0, 4, "MM\0*"},
    {DCNN_KIND_HEIF, 4, 8, "ftypheic"},
    {DCNN_KIND_HEIF, 4, 8, "ftypheix"},
    {DCNN_KIND_HEIF, 4, 8, "ftypmif1"},
    {DCNN_KIND_HEIF, 4, 8, "ftypavif"},
    {DCNN_KIND_NPY, 0, 6, "\x93NUMPY"},
    {DCNN_KIND_MAT, 0, 9, "MATLAB 5."},
    {DCNN_KIND_PARQUET, 0, 4, "PAR1"},
    {DCNN_KIND_UTF16, 0, 2, "\xff\xfe"},
    {DCNN_KIND_UTF16, 0, 2, "\xfe\xff"},
    {DCNN_KIND_LFS, 0, 35, "version https://git-lfs.github.com/"},
    {DCNN_KIND_TAR, 257, 5, "ustar"},
    {DCNN_KIND_PACKED, 0, 6,
     "\xfd"
     "7zXZ\0"},
    {DCNN_KIND_PACKED, 0, 3, "BZh"},
    {DCNN_KIND_PACKED, 0, 4, "\x28\xb5\x2f\xfd"},
    {DCNN_KIND_PACKED, 0, 6, "7z\xbc\xaf\x27\x1c"},
    {DCNN_KIND_PACKED, 0, 4, "Rar!"},
    {DCNN_KIND_PDF, 0, 5, "%PDF-"},
    {DCNN_KIND_PROGRAM, 0, 4,
     "\x7f"
     "ELF"},
    {DCNN_KIND_PROGRAM, 0, 2, "#!"},
    {DCNN_KIND_PICKLE, 0, 2, "\x80\x02"},
    {DCNN_KIND_PICKLE, 0, 2, "\x80\x03"},
    {DCNN_KIND_PICKLE, 0, 2, "\x80\x04"},
    {DCNN_KIND_PICKLE, 0, 2, "\x80\x05"},
};

/* A zip is known by its first member's name. */
static dcnn_kind_id kind_of_zip(const uint8_t *bytes, size_t length) {
    if (length < 30) return DCNN_KIND_ZIP;
    char name[256];
    size_t n = (size_t)bytes[26] | (size_t)bytes[27] << 8;
    if (n > sizeof name - 1) n = sizeof name - 1;
    if (n > length - 30) n = length - 30;
    memcpy(name, bytes + 30, n);
    name[n] = '\0';
    if (n > 4 && strcmp(name + n - 4, ".npy") == 0) return DCNN_KIND_NPZ;
    if (strcmp(name, "metadata.json") == 0 || strcmp(name, "config.json") == 0) return DCNN_KIND_KERAS;
    if (strstr(name, "data.pkl") || strstr(name, ".format_version")) return DCNN_KIND_TORCH;
    return DCNN_KIND_ZIP;
}

/* Two zero bytes, a type of number, a count of dimensions (yann.lecun.com/exdb/mnist). */
static bool is_idx(const uint8_t *bytes, size_t length) {
    return length >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 && bytes[2] != 10 &&
           bytes[3] >= 1 && bytes[3] <= 8;
}

static bool is_pnm(const uint8_t *bytes, size_t length) {
    return length >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
           (isspace(bytes[2]) || bytes[2] == '#');
}

/* "BM", a length, zeros, and a header of a length that there is. */
static bool is_bmp(const uint8_t *bytes, size_t length) {
    return length >= 26 && bytes[0] == 'B' && bytes[1] == 'M' && bytes[16] == 0 && bytes[17] == 0 &&
           (bytes[14] == 12 || bytes[14] >= 40);
}

/* A JSON header behind its length in 8 bytes. */
static bool is_safetensors(const uint8_t *bytes, size_t length) {
    return length >= 10 && bytes[6] == 0 && bytes[7] == 0 && bytes[8] == '{' && bytes[9] == '"';
}

/* The text of ir_version and producer_name, fields 1 and 2 of ModelProto. */
static bool is_onnx(const uint8_t *bytes, size_t length) {
    return length >= 4 && bytes[0] == 8 && bytes[1] < 32 && (bytes[2] == 0x12 || bytes[2] == 0x3a);
}

/* No control characters but those of texts; UTF-8 and Latin-1 pass. */
static bool is_text(const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < 0x20 && !memchr("\t\n\r\f", bytes[i], 4)) return false;
    return length > 0;
}

/* JSON, SVG, columns of a table (a separator and a digit in its first kilobytes), or any other text. */
static dcnn_kind_id kind_of_text(const uint8_t *bytes, size_t length) {
    size_t i = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (i < length && isspace(bytes[i])) i++;
    if (i == length) return DCNN_KIND_TEXT;
    if (bytes[i] == '{' || bytes[i] == '[') return DCNN_KIND_JSON;
    if (length - i > 9 && (strncasecmp((const char *)bytes + i, "<!doctype", 9) == 0 ||
                           strncasecmp((const char *)bytes + i, "<html", 5) == 0))
        return DCNN_KIND_HTML;
    if (bytes[i] == '<') return memmem(bytes, length, "<svg", 4) ? DCNN_KIND_SVG : DCNN_KIND_TEXT;
    bool separated = false, digit = false;
    for (size_t at = i; at < length; at++) {
        separated = separated || bytes[at] == ',' || bytes[at] == ';' || bytes[at] == '\t' || bytes[at] == '|';
        digit = digit || isdigit(bytes[at]);
        if (bytes[at] == ' ' && at > i && isdigit(bytes[at - 1]) && at + 1 < length && isdigit(bytes[at + 1]))
            separated = true;
    }
    return separated && digit ? DCNN_KIND_TABLE : DCNN_KIND_TEXT;
}

dcnn_kind_id dcnn_kind_of_bytes(const uint8_t *bytes, size_t length) {
    if (length == 0) return DCNN_KIND_EMPTY;
    if (length >= 4 && memcmp(bytes, "PK\x03\x04", 4) == 0) return kind_of_zip(bytes, length);
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (length >= magics[i].offset + magics[i].length &&
            memcmp(bytes + magics[i].offset, magics[i].bytes, magics[i].length) == 0)
            return magics[i].kind;
    if (is_idx(bytes, length)) return DCNN_KIND_IDX;
    if (is_pnm(bytes, length)) return DCNN_KIND_PNM;
    if (is_bmp(bytes, length)) return DCNN_KIND_BMP;
    if (is_safetensors(bytes, length)) return DCNN_KIND_SAFETENSORS;
    if (is_text(bytes, length < HEAD_BYTES ? length : HEAD_BYTES))
        return kind_of_text(bytes, length < HEAD_BYTES ? length : HEAD_BYTES);
    if (is_onnx(bytes, length)) return DCNN_KIND_ONNX;
    return DCNN_KIND_UNKNOWN;
}

dcnn_kind_id dcnn_kind_of_file(const char *path) {
    struct stat about;
    if (stat(path, &about) != 0) return DCNN_KIND_MISSING;
    if (S_ISDIR(about.st_mode)) return DCNN_KIND_FOLDER;
    if (!S_ISREG(about.st_mode)) return DCNN_KIND_SPECIAL;
    gzFile file = gzopen(path, "rb"); /* reads what is not gzipped as it is */
    if (!file) return DCNN_KIND_MISSING;
    uint8_t head[HEAD_BYTES];
    const int got = gzread(file, head, sizeof head);
    const bool packed = !gzdirect(file);
    gzclose(file);
    if (packed && got <= 0) return DCNN_KIND_PACKED; /* cut or damaged: whoever reads it will say how */
    /* HDF5 allows a block of the user's own before it, of 512 bytes and doublings; MATLAB 7.3 uses the first */
    if (got >= 520 && memcmp(head + 512, "\x89HDF\r\n\x1a\n", 8) == 0) return DCNN_KIND_HDF5;
    return got < 0 ? DCNN_KIND_PACKED : dcnn_kind_of_bytes(head, (size_t)got);
}

/* --- words ------------------------------------------------------------------------------------------------------- */

const char *dcnn_kind_name(dcnn_kind_id kind) {
    return kinds[kind].name;
}

bool dcnn_kind_is_image(dcnn_kind_id kind) {
    return kind == DCNN_KIND_PNG || kind == DCNN_KIND_JPEG || kind == DCNN_KIND_BMP || kind == DCNN_KIND_PNM ||
           kind == DCNN_KIND_WEBP;
}

bool dcnn_kind_is_foreign_image(dcnn_kind_id kind) {
    return kind == DCNN_KIND_GIF || kind == DCNN_KIND_TIFF || kind == DCNN_KIND_HEIF || kind == DCNN_KIND_SVG;
}

bool dcnn_name_is_image(const char *name) {
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp",
                                          ".pgm", ".ppm", ".pbm",  ".pnm", ".webp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

dcnn_status dcnn_kind_fail(const char *path, dcnn_kind_id kind, const char *wanted) {
    if (kind == DCNN_KIND_MISSING) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: there is no such file or folder", path);
    if (kind == DCNN_KIND_EMPTY) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the file is empty", path);
    if (kind == DCNN_KIND_FOLDER) {
        char best[4096];
        snprintf(best, sizeof best, "%s%sbest.h5", path, path[strlen(path) - 1] == '/' ? "" : "/");
        if (dcnn_kind_of_file(best) == DCNN_KIND_HDF5)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is the folder of a run, not %s; its model is %s", path, wanted, best);
    }
    const char *advice = kinds[kind].advice;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is %s, not %s%s%s", path, kinds[kind].name, wanted, advice ? "; " : "",
                     advice ? advice : "");
}
