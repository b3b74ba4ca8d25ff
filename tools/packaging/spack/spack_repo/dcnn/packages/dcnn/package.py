# SPDX-License-Identifier: BSD-3-Clause
from spack_repo.builtin.build_systems.cmake import CMakePackage, generator

from spack.package import *


class Dcnn(CMakePackage):
    """Trains convolutional networks for images on CPU clusters from one C program: data-parallel
    over MPI, with the same bits on any number of ranks, resumable, at home under Slurm. Its
    models open in Keras."""

    # Until there is a release to download: spack dev-build, from a checkout
    # (tools/packaging/README.md).
    version("0.1.0")

    license("BSD-3-Clause AND CC-BY-SA-3.0")

    generator("ninja")

    variant("mpi", default=True, description="Train on several processes")
    variant("report", default=True, description="Draw figures and the report page of a run")
    variant("onnx", default=True, description="Read and write ONNX models")
    variant("webp", default=False, description="Read WebP images")
    variant("matio", default=False, description="Read MATLAB files of version 5 to 7")
    variant("harden", default=True, description="Stack protector, fortified calls and the like")

    depends_on("c", type="build")
    depends_on("cmake@3.18:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("random123", type="build")
    depends_on("mpi", when="+mpi")
    depends_on("openblas")
    depends_on("hdf5@1.10:")
    depends_on("hdf5~mpi", when="~mpi")
    depends_on("zlib-api")
    depends_on("jansson")
    depends_on("xxhash")
    depends_on("libpng")
    depends_on("libjpeg-turbo")
    depends_on("libzip")
    depends_on("libwebp", when="+webp")
    depends_on("matio", when="+matio")
    with when("+report"):
        depends_on("cairo+png+svg")
        depends_on("pango")
        depends_on("protobuf-c")
    depends_on("protobuf-c", when="+onnx")

    sanity_check_is_file = ["bin/dcnn", "include/dcnn.h", "share/dcnn/models/digits.json"]

    def cmake_args(self):
        return [
            self.define("DCNN_TESTS", False),
            self.define_from_variant("DCNN_MPI", "mpi"),
            self.define_from_variant("DCNN_REPORT", "report"),
            self.define_from_variant("DCNN_ONNX", "onnx"),
            self.define_from_variant("DCNN_WEBP", "webp"),
            self.define_from_variant("DCNN_MATIO", "matio"),
            self.define_from_variant("DCNN_HARDEN", "harden"),
        ]

    def test_training(self):
        """a few of the digits that come with dcnn: prepared, trained on, evaluated"""
        dcnn = which(self.prefix.bin.dcnn, required=True)
        dcnn("prepare", self.prefix.share.dcnn.mnist, "--limit", "200", "-o", "small.h5")
        dcnn("train", "small.h5", "--epochs", "1", "--run", "run")
        dcnn("evaluate", "run/best.h5", "small.h5")
