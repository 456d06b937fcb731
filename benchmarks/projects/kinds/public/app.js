console.log("a small script");
