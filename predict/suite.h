// Many models on many data sets, from one file.
#pragma once

#include "src/config.h"

#include <string>
#include <vector>

namespace nowcell {

/// A model or a data set of a suite.
struct SuiteEntry {
    std::string name;
    std::string path;
    std::string dataset = {};  ///< of data; empty: as in training, else the only one
    std::string target = {};   ///< of data that are pairs; empty: as in training
    std::string split = {};    ///< of data; empty: test when they are the model's own, else all
};

/// What is evaluated together.
struct Suite {
    std::string title;
    std::vector<SuiteEntry> models;
    std::vector<SuiteEntry> data;
    std::vector<std::string> overrides;  ///< "eval.stride=2": what its [eval] section says
};

/// Every key that a suite may have.
const std::vector<Key>& suite_keys();

/// Reads a TOML file; relative paths count from its folder. Names that are left out come from the paths.
/// Throws Error(usage) with line, column and caret, on two entries of one name, and when models or data are missing.
Suite read_suite(const std::string& file);

/// What a path is called where no name is given: its last part, without extension.
std::string name_of_path(const std::string& path);

}  // namespace nowcell
