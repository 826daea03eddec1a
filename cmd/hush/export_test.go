package main

// Main is what testscript starts as hush.
var Main = main
