# SPDX-License-Identifier: BSD-3-Clause
from spack.package import *


class Dcnn(CMakePackage):
    """Trains convolutional networks for images on CPU clusters from one C program: data-parallel over MPI, with the same
    bits on any number of ranks, resumable, at home under Slurm. Its models open in Keras."""

    # Until there is a release to download: spack dev-build, from a checkout (tools/packaging/README.md).
    version("0.1.0")

    license("BSD-3-Clause AND CC-BY-SA-3.0")

    variant("mpi", default=True, description="Train on several processes")
    variant("report", default=True, description="Draw figures and the report page of a run")
    variant("webp", default=False, description="Read WebP images")
    variant("matio", default=False, description="Read MATLAB files of version 5 to 7")

    depends_on("c", type="build")
    depends_on("cmake@3.18:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("random123", type="build")
    depends_on("mpi", when="+mpi")
    depends_on("openblas")
    depends_on("hdf5~mpi")
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

    def cmake_args(self):
        return [
            self.define("DCNN_TESTS", False),
            self.define_from_variant("DCNN_MPI", "mpi"),
            self.define_from_variant("DCNN_REPORT", "report"),
        ]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_version(self):
        Executable(self.prefix.bin.dcnn)("--version")
