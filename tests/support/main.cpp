// Catch2 2.13 needs a main of ours; version 3 brings its own in a library.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
