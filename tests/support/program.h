// Runs the real program as a user would.
#pragma once

#include <string>
#include <vector>

/// What a run of the program left.
struct Outcome {
    int code = -1;  ///< 128 and the signal that ended it
    std::string out;
    std::string err;
    double cpu_s = 0.0;  ///< user and system time
};

/// Runs nowcell with these words in `folder`, standard input closed.
Outcome run_nowcell(const std::vector<std::string>& words, const std::string& folder = "");

/// The same, but after `seconds` the program gets a signal, if it still runs.
Outcome run_nowcell_for(const std::vector<std::string>& words, const std::string& folder, double seconds, int signal);

/// Path of the program itself, for tests that start it in another way.
std::string nowcell_program();

/// A reader program that misbehaves as the name of the file asks: for NOWCELL_READER.
std::string stub_reader();

/// The names in a folder, sorted; sub-folders are listed with their content.
std::vector<std::string> tree(const std::string& folder);
